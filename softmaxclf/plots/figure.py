"""The shared look of every picture, and how a picture becomes bytes that are the same each time.

Figures are made without pyplot and without a display. Matplotlib's global settings are left as they were:
each drawing step runs inside `look()`, which starts from matplotlib's own defaults, so that a user's
matplotlibrc does not change the pictures either.
"""

import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from io import BytesIO
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.textpath import text_to_path
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import ArrayLike
from PIL import Image

from softmaxclf.errors import ConfigError
from softmaxclf.files import write_bytes

DPI = 150
WIDTH = 8.0  # inches: at 800 displayed pixels one point is 1.4 pixels
MARGIN, HEADING_GAP = 8, 14  # pixels beside a page and above its heading
SMALL, MEDIUM, LARGE = 9.0, 10.5, 12.5  # points
INK, FAINT, GRID_LINE, PAPER, MISSING = "#222222", "#666666", "#dddddd", "#ffffff", "#d9d9d9"

# Okabe and Ito's eight colours, which remain apart under every common colour blindness; yellow, too pale
# for lines on white, is left out. https://jfly.uni-koeln.de/color/
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
# One meaning for a colour in all pictures: whose figures they are.
TRAIN, VALIDATION, TEST, CALIBRATED = COLOURS[:4]
WINNER = INK
BAR = "#9cc9e8"  # pale, so that lines on it can be seen
SEQUENTIAL, DIVERGING = "viridis", "RdBu_r"
# From nothing at all to blue, so that no share is the colour of the page, be it light or dark.
SHARES = LinearSegmentedColormap.from_list("shares", [f"{COLOURS[0]}00", COLOURS[0]])
FOR, AGAINST = "#b2182b", "#2166ac"  # the ends of the diverging map: raises and lowers a score
PREDICTED, TRUE = FOR, AGAINST  # what speaks for the model's answer, and for the truth

LOOK: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # it comes with matplotlib, so the same letters everywhere
    "font.size": SMALL,
    "axes.titlesize": MEDIUM,
    "axes.titlelocation": "left",
    "axes.labelsize": SMALL,
    "axes.facecolor": "none",
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": GRID_LINE,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": SMALL,
    "hatch.linewidth": 0.8,
    "text.color": INK,
    "text.parse_math": False,  # a class called "a$b$" is a name, not a formula
    "svg.hashsalt": "softmaxclf",
    "svg.fonttype": "path",
    "figure.dpi": DPI,
    "savefig.dpi": "figure",
}
LOG_FROM = 30.0  # ratio of largest to least value from which an axis is logarithmic
FORMATS = ("png", "svg", "pdf", "jpg", "jpeg", "webp")  # endings that a picture can be saved with
EXIF_DESCRIPTION = 0x010E

P = ParamSpec("P")


@contextmanager
def look(**others: Any) -> Iterator[None]:
    """Apply the shared look for the length of a block, and put matplotlib's settings back after it.

    `others` are further settings of matplotlib. A letter that the font lacks is drawn as a box; the warning about
    it would tell the user nothing to do.
    """
    with matplotlib.style.context(["default", {**LOOK, **others}]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*[Gg]lyph .* missing from")
        yield


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Return the drawing step `draw`, run inside `look()`, its layout computed once and then kept.

    Computed again at every saving, the layout would move things by 1e-10 and the files would differ.
    """

    @wraps(draw)
    def inside_look(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with look():
            figure = draw(*args, **kwargs)
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
        return figure

    return inside_look


def new_figure(width: float, height: float, *, automatic_layout: bool = True) -> Figure:
    """Return an empty white figure of (width, height) inches that needs no display."""
    layout = ConstrainedLayoutEngine() if automatic_layout else None
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor=PAPER, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def title(figure: Figure, text: str | None, note: str = "") -> None:
    """Put `text` and `note` at the top left of the whole figure; without text the figure has no title."""
    if text:
        fitted, size = fit_heading(figure, text, note)
        automatic = figure.get_layout_engine() is not None
        y = None if automatic else 1 - HEADING_GAP / figure.bbox.height
        figure.suptitle(fitted, x=MARGIN / figure.bbox.width, y=y, ha="left", va="top", fontsize=size)


def fit_heading(figure: Figure, text: str, note: str = "") -> tuple[str, float]:
    """Return `text` and `note` on one line, and the largest size in points at which they fit the figure.

    Where no size fits, the text is cut, never the note: it says what the picture leaves out.
    """
    room, whole = figure.bbox.width - 20, plain(text) + note
    for size in (LARGE, MEDIUM, SMALL):
        if text_width(whole, size) <= room:
            return whole, size
    return fit_text(text, room - text_width(note, SMALL)) + note, SMALL


def left_out(shown: int, total: int, what: str = "classes", which: str = "first {}") -> str:
    """Return the note of a heading that not all are shown, " (first 40 of 1,000 classes)"; empty where all are."""
    return f" ({which.format(shown)} of {total:,} {what})" if shown < total else ""


def in_numbers(axis: Axis, digits: int = 6) -> None:
    """Label the ticks of an axis as people write numbers."""
    axis.set_major_formatter(lambda value, _: number(value, digits))


def spread(values: ArrayLike) -> float:
    """The ratio of the largest to the least of the values that are known; 0 where not all of those are above 0."""
    known = np.asarray(values)[np.isfinite(values)]
    return float(known.max() / known.min()) if known.size and known.min() > 0 else 0.0


def logarithmic(axes: Axes) -> None:
    """Make the y axis of a drawn panel logarithmic, its ticks at powers of ten, or closer where these are few."""
    axes.set_yscale("log")
    subs = (1.0,) if spread(axes.get_ylim()) > 200 else (1.0, 2.0, 5.0)
    axes.yaxis.set_major_locator(LogLocator(subs=subs))
    axes.yaxis.set_minor_locator(NullLocator())
    in_numbers(axes.yaxis, 3)


def in_percent(axis: Axis) -> None:
    """Label the ticks of an axis of shares (0..1) in percent."""
    axis.set_major_formatter(lambda share, _: f"{100 * share:.6g} %")


def plain(text: str) -> str:
    """Return `text` on one line, without characters that cannot be printed."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def text_width(text: str, size: float) -> float:
    """Width of `text` in pixels of a figure, at `size` points."""
    points = text_to_path.get_text_width_height_descent(text, FontProperties(size=size), ismath=False)[0]
    return float(points) * DPI / 72


def fit_text(text: str, width: float, size: float = SMALL) -> str:
    """Return `text` made plain and, where it is wider than `width` pixels, an ellipsis in place of its middle."""
    text = plain(text)
    if text_width(text, size) <= width:
        return text
    fitting = bisect_right(
        range(1, len(text)), width, key=lambda length: text_width(_cut(text, length), size)
    )
    return _cut(text, max(1, fitting))


def _cut(text: str, length: int) -> str:
    """So many letters of it; names that are alike at the beginning differ at the end."""
    end = length // 2
    return f"{text[: length - end].rstrip()}…{text[len(text) - end :].lstrip()}"


def number(value: float, digits: int = 6) -> str:
    """Return `value` with at most `digits` significant digits, as people write it.

    >>> [number(v) for v in (0, 9000, 0.01, 1.5e-7, 2e6)]
    ['0', '9,000', '0.01', '1.5e-7', '2e6']
    """
    rounded = float(f"{value:.{digits}g}")
    if not np.isfinite(rounded) or rounded == 0 or 1e-3 <= abs(rounded) < 1e6:
        return f"{rounded + 0.0:,}".removesuffix(".0")  # the sum turns -0 into 0
    mantissa, exponent = f"{rounded:.{digits - 1}e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}e{int(exponent)}"


def percentage(share: float) -> str:
    """Return a probability in percent; one that percent would hide (below 0.01 %) as the plain number."""
    if 0 < share < 1e-4:
        return number(share, 3)
    return f"{100 * share:.1f} %" if share >= 0.001 else f"{100 * share:.2g} %"


def distinct_numbers(values: Sequence[float]) -> list[str]:
    """Return every value as text: four digits where exact, else three; more where two would look equal."""
    texts = [number(value, 4 if float(f"{value:.4g}") == value else 3) for value in values]
    digits = 4
    while len(set(texts)) < len(set(values)) and digits <= 17:
        texts = [number(value, digits) for value in values]
        digits += 1
    return texts


def ink_on(colour: ArrayLike) -> str:
    """Return black or white, whichever reads better on `colour` (red, green, blue, alpha in 0..1) on paper.

    The relative luminance and the contrast ratio are those of WCAG 2, section 1.4.3.
    """
    *_, alpha = values = np.append(np.asarray(colour, dtype=np.float64), 1.0)[:4]
    channels = 1 - alpha * (1 - values[:3])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ np.array([0.2126, 0.7152, 0.0722]))
    return "#000000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#ffffff"


def save(figure: Figure, path: Path, *, made_by: str = "") -> None:
    """Write `figure` to `path` whole or not at all, in the format that the file's ending names.

    `made_by` says how the picture was made (a command line) and is stored inside the file where the format
    has a place for it. The same figure gives the same bytes. Raises ConfigError for an unknown ending and
    OutputError where the system refuses to write.
    """
    write_bytes(path, encoded(figure, format_of(path), made_by=made_by))


def format_of(path: Path) -> str:
    """Return the picture format that the ending of `path` names. Raises ConfigError for any other ending."""
    ending = path.suffix.lower().removeprefix(".")
    if ending in FORMATS:
        return ending
    raise ConfigError(
        f"{path}: expected a file name ending in .{', .'.join(FORMATS)}, got "
        f"{f'the ending .{plain(ending)}' if ending else 'no ending'}; choose another name"
    )


def encoded(
    figure: Figure, file_format: str, *, made_by: str = "", paper: str = PAPER, **others: Any
) -> bytes:
    """Return `figure` as the bytes of a picture file, on `paper`; `others` are further settings of matplotlib."""
    buffer = BytesIO()
    with look(**others):
        figure.savefig(
            buffer, format=file_format, facecolor=paper, **_description(file_format, plain(made_by))
        )
    return buffer.getvalue()


def _description(file_format: str, made_by: str) -> dict[str, Any]:
    """Arguments of savefig that leave dates out and store `made_by`."""
    if file_format == "png":
        return {"metadata": {"Software": "softmaxclf", **({"Description": made_by} if made_by else {})}}
    if file_format == "pdf":
        return {"metadata": {"Creator": "softmaxclf", "CreationDate": None, "Subject": made_by or None}}
    if file_format == "svg":
        return {"metadata": {"Creator": "softmaxclf", "Date": None, "Description": made_by or None}}
    exif = Image.Exif()
    exif[EXIF_DESCRIPTION] = made_by.encode("ascii", "replace").decode()
    return {"pil_kwargs": {"quality": 92, **({"exif": exif} if made_by else {})}}
