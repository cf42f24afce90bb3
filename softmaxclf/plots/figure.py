"""The shared look of every picture, and how a picture becomes bytes that are the same each time.

Figures are made without pyplot and without a display. Matplotlib's global settings are left as they were:
each drawing step runs inside `look()`, which starts from matplotlib's own defaults, so that a user's
matplotlibrc does not change the pictures either.
"""

import re
import warnings
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
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FuncFormatter
from PIL import Image

from softmaxclf.errors import ConfigError
from softmaxclf.files import write_bytes

DPI = 150
WIDTH = 8.0  # inches: at 800 displayed pixels one point is 1.4 pixels
SMALL, MEDIUM, LARGE = 9.0, 10.5, 12.5  # points
INK, FAINT, GRID_LINE, PAPER, MISSING = "#222222", "#666666", "#dddddd", "#ffffff", "#d9d9d9"

# Okabe and Ito's eight colours, which remain apart under every common colour blindness; yellow, too pale
# for lines on white, is left out. https://jfly.uni-koeln.de/color/
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
SEQUENTIAL, DIVERGING, SHARES = "viridis", "RdBu_r", "Blues"
FOR, AGAINST = "#b2182b", "#2166ac"  # the ends of the diverging map: raises and lowers a score

LOOK: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # it comes with matplotlib, so the same letters everywhere
    "font.size": SMALL,
    "axes.titlesize": MEDIUM,
    "axes.titlelocation": "left",
    "axes.labelsize": SMALL,
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
# pgf asks for a TeX system, raw and rgba open in no viewer, svgz carries the time of writing.
UNSUITABLE = frozenset({"pgf", "raw", "rgba", "svgz"})
EXIF_DESCRIPTION = 0x010E

P = ParamSpec("P")


@contextmanager
def look() -> Iterator[None]:
    """Apply the shared look for the length of a block, and put matplotlib's settings back after it.

    A letter that the font lacks is drawn as a box; the warning about it would tell the user nothing to do.
    """
    with matplotlib.style.context(["default", LOOK]), warnings.catch_warnings():
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
    """Put `text` and `note` over the whole figure, left-aligned; without text the figure has no title."""
    if text:
        fitted, size = fit_heading(figure, text, note)
        figure.suptitle(fitted, x=0.01, ha="left", fontsize=size)


def fit_heading(figure: Figure, text: str, note: str = "") -> tuple[str, float]:
    """Return `text` and `note` on one line, and the largest size in points at which they fit the figure.

    Where no size fits, the text is cut, never the note: it says what the picture leaves out.
    """
    room, whole = figure.bbox.width - 20, plain(text) + note
    for size in (LARGE, MEDIUM, SMALL):
        if text_width(figure, whole, size) <= room:
            return whole, size
    return fit_text(figure, text, room - text_width(figure, note, SMALL)) + note, SMALL


def no_frame(axes: Axes) -> None:
    """Remove ticks and frame of a picture's axes."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def in_percent(axis: Axis) -> None:
    """Label the ticks of an axis of shares (0..1) in percent."""
    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.6g} %"))


def plain(text: str) -> str:
    """Return `text` on one line, without characters that cannot be printed."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def text_width(figure: Figure, text: str, size: float) -> float:
    """Width of `text` in pixels of `figure`, at `size` points."""
    points = text_to_path.get_text_width_height_descent(text, FontProperties(size=size), ismath=False)[0]
    return float(points) * figure.dpi / 72


def fit_text(figure: Figure, text: str, width: float, size: float = SMALL) -> str:
    """Return `text` made plain and, where it is wider than `width` pixels, cut short with an ellipsis."""
    text = plain(text)
    if text_width(figure, text, size) <= width:
        return text
    fitting = 0
    too_long = len(text)
    while too_long - fitting > 1:
        middle = (fitting + too_long) // 2
        if text_width(figure, text[:middle].rstrip() + "…", size) <= width:
            fitting = middle
        else:
            too_long = middle
    return text[: max(1, fitting)].rstrip() + "…"


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


def distinct_numbers(values: Sequence[float]) -> list[str]:
    """Return every value as text: four digits where exact, else three; more where two would look equal."""
    texts = [number(value, 4 if float(f"{value:.4g}") == value else 3) for value in values]
    digits = 4
    while len(set(texts)) < len(set(values)) and digits <= 17:
        texts = [number(value, digits) for value in values]
        digits += 1
    return texts


def ink_on(colour: Sequence[float]) -> str:
    """Return black or white, whichever reads better on `colour` (red, green, blue in 0..1).

    The relative luminance and the contrast ratio are those of WCAG 2, section 1.4.3.
    """
    channels = np.asarray(colour[:3], dtype=np.float64)
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ np.array([0.2126, 0.7152, 0.0722]))
    return "#000000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#ffffff"


def accepted_formats() -> list[str]:
    """File endings (without the dot) that a picture can be saved with."""
    return sorted(set(FigureCanvasAgg.get_supported_filetypes()) - UNSUITABLE)


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
    known = accepted_formats()
    if ending in known:
        return ending
    raise ConfigError(
        f"{path}: expected a file name ending in .{', .'.join(known)}, got "
        f"{f'the ending .{plain(ending)}' if ending else 'no ending'}; choose another name"
    )


def encoded(figure: Figure, file_format: str, *, made_by: str = "") -> bytes:
    """Return `figure` as the bytes of a picture file (for a file, or for embedding in a page)."""
    buffer = BytesIO()
    with look():
        options = _description(file_format, plain(made_by))
        figure.savefig(buffer, format=file_format, facecolor=PAPER, **options)
    content = buffer.getvalue()
    if file_format in ("ps", "eps"):
        # The date cannot be switched off, only set for the whole process by an environment variable.
        content = re.sub(rb"%%CreationDate: [^\n]*\n", b"", content, count=1)
    return content


def _description(file_format: str, made_by: str) -> dict[str, Any]:
    """Arguments of savefig that leave dates out and store `made_by`."""
    if file_format == "png":
        return {"metadata": {"Software": "softmaxclf", **({"Description": made_by} if made_by else {})}}
    if file_format == "pdf":
        return {"metadata": {"Creator": "softmaxclf", "CreationDate": None, "Subject": made_by or None}}
    if file_format == "svg":
        return {"metadata": {"Creator": "softmaxclf", "Date": None, "Description": made_by or None}}
    if file_format in ("ps", "eps"):
        return {"metadata": {"Creator": f"softmaxclf {made_by}".encode("ascii", "replace").decode().strip()}}
    if file_format == "gif":
        return {"pil_kwargs": {"comment": made_by.encode()}} if made_by else {}
    exif = Image.Exif()
    exif[EXIF_DESCRIPTION] = made_by.encode("ascii", "replace").decode()
    compact = {"compression": "tiff_deflate"} if file_format in ("tif", "tiff") else {"quality": 92}
    return {"pil_kwargs": {"exif": exif, **compact} if made_by else compact}
