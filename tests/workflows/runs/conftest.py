"""What the tests of the runs share."""

import pytest

from tests.conftest import leave_pictures_out


@pytest.fixture
def no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures have tests of their own and take most of a small run's time."""
    if "with_pictures" not in request.fixturenames:
        leave_pictures_out(monkeypatch)


@pytest.fixture
def with_pictures() -> None:
    """Ask for this where pictures are to be drawn all the same."""
