"""What the tests of the runs share."""

import pytest

from softmaxclf.workflows.runs import result


@pytest.fixture
def no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures have tests of their own and take most of a small run's time."""
    if "with_pictures" not in request.fixturenames:
        for name in ("_draw", "_save"):
            monkeypatch.setattr(result, name, lambda *arguments: None)


@pytest.fixture
def with_pictures() -> None:
    """Ask for this where pictures are to be drawn all the same."""
