"""Line and bar charts as SVG that takes its colours from the page, so that it is light and dark as the page is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log10
from typing import Any, NamedTuple

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator
from numpy.typing import NDArray

from softmaxclf.core.metrics import ReliabilityBins
from softmaxclf.plots.curves import LOG_FROM, LearningCurves, Series
from softmaxclf.plots.figure import number
from softmaxclf.report.markup import Markup, element, join

Array = NDArray[Any]
WIDTH, HEIGHT = 460, 300  # units of the drawing; it is shown at most about 460 pixels wide
LEFT, RIGHT, TOP, BOTTOM = 52, 22, 34, 44
LETTER = 6.4  # mean width of a letter of a legend
TICK_GAP = 8

HATCH = element(
    "defs",
    element(
        "pattern",
        element("path", d="M0 6 L6 0", class_="hatch"),
        id="hatch",
        width=6,
        height=6,
        patternUnits="userSpaceOnUse",
    ),
)


class Line(NamedTuple):
    """One line of a chart: a name for the legend ("" for none), its points, and the class that colours it."""

    name: str
    points: Series
    class_: str


@dataclass(frozen=True)
class Frame:
    """Where values lie in the drawing: ranges of x and y, the box (left, top, right, bottom), log of y or not."""

    x: tuple[float, float]
    y: tuple[float, float]
    box: tuple[float, float, float, float]
    logarithmic: bool = False

    def across(self, x: Any) -> Any:
        """Drawing units of x."""
        left, _, right, _ = self.box
        return left + (np.asarray(x) - self.x[0]) / (self.x[1] - self.x[0]) * (right - left)

    def down(self, y: Any) -> Any:
        """Drawing units of y."""
        _, top, _, bottom = self.box
        change = np.log10 if self.logarithmic else np.asarray
        low, high = change(self.y[0]), change(self.y[1])
        return bottom - (change(y) - low) / (high - low) * (bottom - top)


def line_chart(title: str, lines: Sequence[Line], x_name: str, y_name: str) -> Markup:
    """A chart of the lines with a legend of those that have a name; y is logarithmic where it spans much."""
    drawn = [line for line in lines if len(line.points[0])]
    if not drawn:
        return drawing(title, HEIGHT, [element("text", "nothing was measured", x=LEFT, y=HEIGHT / 2)])
    xs, ys = (np.concatenate([line.points[axis] for line in drawn]) for axis in (0, 1))
    logarithmic = bool(ys.min() > 0 and ys.max() / ys.min() >= LOG_FROM)
    frame = Frame(
        (min(0.0, float(xs.min())), float(xs.max()) or 1.0),
        _span(ys, logarithmic),
        (LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM),
        logarithmic,
    )
    content = [
        *axes(frame, x_name, y_name, whole=True),
        *(_polyline(frame, line) for line in drawn),
        *_legend([line for line in drawn if line.name]),
    ]
    return drawing(title, HEIGHT, content)


def loss_chart(curves: LearningCurves, title: str) -> Markup:
    """The loss of one run: as measured, pale, and its running mean over it."""
    lines = [Line("", curves.smooth_loss, "series-a")]
    if curves.smooth_loss is not curves.loss and not np.array_equal(curves.loss[1], curves.smooth_loss[1]):
        lines.insert(0, Line("", curves.loss, "series-a pale"))
    return line_chart(title, lines, "iteration", "training loss")


def accuracy_chart(curves: LearningCurves, title: str) -> Markup:
    """Training and validation accuracy of one run, in percent."""
    lines = [Line("train", curves.train, "series-a"), Line("validation", curves.validation, "series-b")]
    return line_chart(title, lines, "iteration", "accuracy (%)")


def reliability_chart(bins: ReliabilityBins, title: str) -> Markup:
    """Accuracy against confidence per bin, the diagonal on which both are equal, and each bin's share of rows."""
    height, split = 440, 300
    upper = Frame((0, 1), (0, 1), (LEFT, TOP, WIDTH - RIGHT, split))
    shares = bins.counts / max(bins.counts.sum(), 1)
    lower = Frame(
        (0, 1),
        (0, max(float(shares.max(initial=0)), 1e-9)),
        (LEFT, split + 42, WIDTH - RIGHT, height - BOTTOM),
    )
    filled = np.flatnonzero(bins.counts > 0)
    content = [
        HATCH,
        *axes(upper, "", "accuracy", in_percent=True, x_labels=False),
        *(_bar(upper, bins.edges[i], bins.edges[i + 1], 0, bins.accuracy[i], "bar") for i in filled),
        *(_gap(upper, bins, int(i)) for i in filled),
        _polyline(upper, Line("", (np.array([0.0, 1.0]), np.array([0.0, 1.0])), "diagonal")),
        *_reliability_legend(),
        *axes(lower, "confidence: probability of the predicted class", "rows", in_percent=True, ticks=2),
        *(_bar(lower, bins.edges[i], bins.edges[i + 1], 0, shares[i], "bar") for i in filled),
    ]
    return drawing(title, height, content)


def drawing(title: str, height: int, content: Sequence[Markup]) -> Markup:
    """The SVG around `content`; `title` says what it shows to those who do not see it."""
    return element(
        "svg", element("title", title), *content, viewBox=f"0 0 {WIDTH} {height}", role="img", class_="chart"
    )


def axes(
    frame: Frame,
    x_name: str,
    y_name: str,
    *,
    whole: bool = False,
    in_percent: bool = False,
    x_labels: bool = True,
    ticks: int = 5,
) -> list[Markup]:
    """Grid lines, tick labels and names of both axes. whole: only whole numbers on x."""
    left, top, right, bottom = frame.box
    label: Callable[[float], str] = (lambda value: f"{100 * value:.6g} %") if in_percent else number
    parts = []
    for y in _ticks(frame.y, ticks, logarithmic=frame.logarithmic):
        place = _units(frame.down(y))
        parts.append(element("line", x1=left, x2=right, y1=place, y2=place, class_="grid"))
        parts.append(element("text", label(y), x=left - TICK_GAP, y=place, class_="tick end"))
    for x in _ticks(frame.x, 6, whole=whole) if x_labels else ():
        parts.append(
            element(
                "text", label(x), x=_units(frame.across(x)), y=bottom + 2 * TICK_GAP, class_="tick middle"
            )
        )
    parts.append(element("line", x1=left, x2=right, y1=bottom, y2=bottom, class_="axis"))
    if x_name:
        parts.append(element("text", x_name, x=right, y=bottom + 36, class_="name end"))
    parts.append(element("text", y_name, x=left, y=top - 14, class_="name"))
    return parts


def _ticks(
    span: tuple[float, float], count: int, *, whole: bool = False, logarithmic: bool = False
) -> list[float]:
    if logarithmic:
        wide = log10(span[1] / span[0]) > 2
        values = LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0), numticks=9).tick_values(*span)
    else:
        values = MaxNLocator(count, integer=whole, steps=[1, 2, 2.5, 5, 10]).tick_values(*span)
    slack = 0 if logarithmic else 1e-9 * (span[1] - span[0])
    return [float(value) for value in values if span[0] - slack <= value <= span[1] + slack]


def _span(values: Array, logarithmic: bool = False) -> tuple[float, float]:
    """Least and largest value with a little room, never empty."""
    low, high = float(values.min()), float(values.max())
    if logarithmic:
        return low / 1.1, high * 1.1
    room = 0.04 * (high - low) or 0.05 * abs(high) or 0.5
    return low - room, high + room


def _polyline(frame: Frame, line: Line) -> Markup:
    xs, ys = frame.across(line.points[0]), frame.down(line.points[1])
    if len(xs) == 1:
        return element("circle", cx=_units(xs[0]), cy=_units(ys[0]), r=3.5, class_=f"dot {line.class_}")
    points = " ".join(f"{_units(x)},{_units(y)}" for x, y in zip(xs, ys, strict=True))
    return element("polyline", points=points, class_=f"line {line.class_}")


def _bar(frame: Frame, left: float, right: float, low: float, high: float, class_: str) -> Markup:
    x, y = frame.across(left), frame.down(high)
    return element(
        "rect", x=_units(x + 0.5), y=_units(y), width=_units(frame.across(right) - x - 1),
        height=_units(frame.down(low) - y), class_=class_,
    )  # fmt: skip


def _gap(frame: Frame, bins: ReliabilityBins, i: int) -> Markup:
    low, high = sorted((float(bins.accuracy[i]), float(bins.confidence[i])))
    return _bar(frame, bins.edges[i], bins.edges[i + 1], low, high, "gap")


def _legend(lines: Sequence[Line]) -> list[Markup]:
    """Names beside short strokes, at the top right."""
    parts: list[Markup] = []
    right = WIDTH - RIGHT
    for line in reversed(lines):
        parts.append(element("text", line.name, x=right, y=TOP - 14, class_="name end"))
        stroke = round(right - LETTER * len(line.name) - 26)
        parts.append(
            element("line", x1=stroke, x2=stroke + 16, y1=TOP - 18, y2=TOP - 18, class_=f"line {line.class_}")
        )
        right = stroke - 14
    return parts


def _reliability_legend() -> list[Markup]:
    """What the bars, the gaps and the diagonal are, at the top left of the plot, where bars are low."""
    x, y = LEFT + 12, TOP + 16
    entries = [
        (element("rect", x=x, y=y - 9, width=16, height=11, class_="bar"), "accuracy in the bin"),
        (element("rect", x=x, y=y + 9, width=16, height=11, class_="gap"), "gap to the confidence"),
        (
            element("line", x1=x, x2=x + 16, y1=y + 32, y2=y + 32, class_="line diagonal"),
            "perfectly calibrated",
        ),
    ]
    return [
        join([mark, element("text", name, x=x + 24, y=y + 18 * place, class_="name")])
        for place, (mark, name) in enumerate(entries)
    ]


def _units(value: Any) -> str:
    return f"{float(value):.1f}"
