"""What the tests of the workflows share."""

import pytest

from softmaxclf.workflows import pictures


@pytest.fixture
def no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures have tests of their own and take most of a small run's time."""
    if "with_pictures" not in request.fixturenames:
        for name in [name for name in vars(pictures) if name.startswith("draw_")]:
            monkeypatch.setattr(pictures, name, lambda *arguments, **choices: None)


@pytest.fixture
def with_pictures() -> None:
    """Ask for this where pictures are to be drawn all the same."""
