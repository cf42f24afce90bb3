"""What the tests of the plots share: every text on a figure, and bytes that must come out the same twice."""

from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from softmaxclf.plots.figure import save


def _texts(figure: Figure) -> list[str]:
    found = figure.findobj(Text)
    return [
        text.get_text() for text in found if isinstance(text, Text) and text.get_visible() and text.get_text()
    ]


@pytest.fixture
def texts() -> Callable[[Figure], list[str]]:
    """All visible texts of a figure."""
    return _texts


@pytest.fixture
def check(tmp_path: Path) -> Callable[[Callable[[], Figure]], Figure]:
    """Draw twice, save both, and hold the two files together; hand one figure back.

    Global settings of matplotlib must come out as they went in.
    """

    def drawn_twice(draw: Callable[[], Figure]) -> Figure:
        before = dict(matplotlib.rcParams)
        figures = [draw(), draw()]
        assert dict(matplotlib.rcParams) == before
        contents = []
        for place, figure in enumerate(figures):
            path = tmp_path / f"{place}.png"
            save(figure, path, made_by="softmaxclf test")
            contents.append(path.read_bytes())
        assert contents[0] == contents[1]
        assert contents[0].startswith(b"\x89PNG") and b"softmaxclf test" in contents[0]
        return figures[0]

    return drawn_twice


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(7)
