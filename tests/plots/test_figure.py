"""The shared look: formats, the same bytes twice, numbers and names as text, no pyplot, no global state."""

import re
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from PIL import Image

from softmaxclf.errors import ConfigError, OutputError
from softmaxclf.plots.figure import (
    FORMATS,
    SEQUENTIAL,
    SHARES,
    distinct_numbers,
    encoded,
    fit_heading,
    fit_text,
    format_of,
    ink_on,
    left_out,
    look,
    new_figure,
    number,
    percentage,
    plain,
    save,
    styled,
    text_width,
)

MODULES = [
    "coefficients",
    "compare",
    "confusion",
    "curves",
    "evidence",
    "explain",
    "features",
    "figure",
    "filters",
    "grid",
    "images",
    "mistakes",
    "path",
    "reliability",
    "strips",
    "templates",
    "weights",
]


@styled
def small_figure() -> Figure:
    figure = new_figure(2, 1.5)
    figure.subplots().set_title("a$b$ 猫")
    return figure


def test_no_plot_imports_pyplot() -> None:
    lines = [f"import softmaxclf.plots.{name}" for name in MODULES]
    lines += [
        "import sys, numpy as np",
        "from softmaxclf.plots.confusion import draw_confusion",
        "draw_confusion(np.eye(2, dtype=int), ['a', 'b'], heading='')",
        "print('matplotlib.pyplot' in sys.modules)",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_every_module_of_the_package_is_listed_in_the_pyplot_test() -> None:
    folder = Path(sys.modules["softmaxclf.plots.figure"].__file__ or "").parent
    assert sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__") == sorted(MODULES)


@pytest.mark.parametrize("file_format", FORMATS)
def test_every_accepted_format_gives_the_same_bytes_twice(file_format: str) -> None:
    made = [encoded(small_figure(), file_format, made_by="softmaxclf train ü") for _ in range(2)]
    assert made[0] == made[1] and len(made[0]) > 500


def test_a_figure_saved_in_one_format_and_then_another_is_not_changed_by_the_first() -> None:
    figure = small_figure()
    first = encoded(figure, "pdf")
    encoded(figure, "svg", paper="none", **{"svg.fonttype": "none"})
    encoded(figure, "png")
    assert encoded(figure, "pdf") == first


@pytest.mark.parametrize("file_format", ["png", "svg", "jpg", "webp"])
def test_the_file_says_how_it_was_made(file_format: str) -> None:
    assert b"softmaxclf train --seed 3" in encoded(
        small_figure(), file_format, made_by="softmaxclf train --seed 3"
    )


@pytest.mark.parametrize("name", ["picture.xyz", "picture", "picture.pgf", "picture.gif", "picture.PNG.txt"])
def test_an_unknown_ending_is_refused_with_the_accepted_ones(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected a file name ending in .*\.png.*got.*choose"):
        save(small_figure(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_the_ending_may_be_in_capitals() -> None:
    assert format_of(Path("A.PNG")) == "png"


def test_a_picture_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("old")
    with pytest.raises(OutputError):
        save(small_figure(), blocked / "picture.png")
    assert blocked.read_text() == "old"


def test_the_page_is_white_and_its_pixels_are_as_many_as_asked_for(tmp_path: Path) -> None:
    save(small_figure(), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (300, 225)
        assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_the_settings_of_the_user_do_not_change_a_picture() -> None:
    plain_look = encoded(small_figure(), "png")
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black", "savefig.bbox": "tight"}):
        assert encoded(small_figure(), "png") == plain_look


def test_a_failing_drawing_step_leaves_the_global_settings_alone() -> None:
    before = dict(matplotlib.rcParams)

    @styled
    def failing() -> Figure:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (9000, "9,000"),
        (0.01, "0.01"),
        (1.5e-7, "1.5e-7"),
        (2e6, "2e6"),
        (-1e-10, "-1e-10"),
        (-250.5, "-250.5"),
        (123456.0, "123,456"),
        (999999.9, "1e6"),
        (5.75e-290, "5.75e-290"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
    ],
)
def test_numbers_are_written_as_people_write_them(value: float, text: str) -> None:
    assert number(value) == text


def test_axis_numbers_are_short_but_never_equal_for_different_values() -> None:
    assert distinct_numbers([10**0.5 * 1e-7, 1e-6]) == ["3.16e-7", "1e-6"]
    assert distinct_numbers([1.234e-7, 21000]) == ["1.234e-7", "21,000"]
    assert distinct_numbers([1.00001, 1.00002]) == ["1.00001", "1.00002"]
    assert len(set(distinct_numbers([0.1 + 0.2, 0.3]))) == 2


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.8390, "83.9 %"), (1.0, "100.0 %"), (0.0, "0 %"), (0.00057, "0.057 %"), (5.75e-290, "5.75e-290")],
)
def test_probabilities_are_percent_unless_that_would_hide_them(share: float, text: str) -> None:
    assert percentage(share) == text


def test_the_note_says_how_many_are_left_out_and_is_empty_where_none_are() -> None:
    assert left_out(40, 1000) == " (first 40 of 1,000 classes)"
    assert left_out(25, 26, "runs", "the {} highest") == " (the 25 highest of 26 runs)"
    assert left_out(40, 40) == left_out(40, 3) == ""


def test_a_long_name_is_cut_to_the_room_and_a_short_one_is_not() -> None:
    with look():
        cut = fit_text("a very long class name indeed", 80)
        assert cut == "a v…ed" and text_width(cut, 9) <= 80 < text_width(cut + "xx", 9)
        assert fit_text("cat", 80) == "cat"


def test_a_heading_shrinks_before_it_is_cut_and_its_note_is_never_cut() -> None:
    figure = new_figure(8, 1)
    with look():
        assert fit_heading(figure, "Short", " (note)") == ("Short (note)", 12.5)
        whole, size = fit_heading(figure, "x" * 70, " (first 100 of 1,000 classes)")
        assert whole.startswith("x" * 70) and size < 12.5
        cut, size = fit_heading(figure, "x" * 500, " (first 100 of 1,000 classes)")
        assert re.fullmatch(r"x{9,}…x{9,} \(first 100 of 1,000 classes\)", cut) and size == 9
        assert text_width(cut, size) <= figure.bbox.width


def test_names_lose_line_breaks_and_what_cannot_be_printed() -> None:
    assert plain("a\nb\x00\tc\ud800 é") == "a b c é"


def test_dollar_signs_in_a_name_are_no_formula() -> None:
    figure = small_figure()
    assert not figure.axes[0].title.get_parse_math()


@pytest.mark.parametrize(
    ("colour", "ink"), [((1, 1, 1), "#000000"), ((0.27, 0, 0.33), "#ffffff"), ((0, 0, 0), "#ffffff")]
)
def test_text_on_a_colour_has_the_greater_contrast(colour: tuple[float, ...], ink: str) -> None:
    assert ink_on(np.array(colour)) == ink


def luminance(rgb: np.ndarray) -> float:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("colours", [matplotlib.colormaps[SEQUENTIAL], SHARES])
def test_counts_can_be_read_on_every_shade_of_a_map(colours: Colormap) -> None:
    for red, green, blue, alpha in colours(np.linspace(0, 1, 101)):
        back = luminance(1 - alpha * (1 - np.array([red, green, blue])))  # on white
        front = {"#000000": 0.0, "#ffffff": 1.0}[ink_on((red, green, blue, alpha))]
        assert (max(front, back) + 0.05) / (min(front, back) + 0.05) >= 4.5  # WCAG's AA
