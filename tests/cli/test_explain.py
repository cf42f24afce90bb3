"""`softmaxclf explain` as people type it."""

import json

import pytest
from click.testing import CliRunner

from softmaxclf.cli.console import PLAIN, decimals
from softmaxclf.cli.explanation import bar, score_bar
from softmaxclf.cli.main import cli

# Worked numbers that texts give: scores, probabilities, and how exact they are given.
PROBABILITIES = [
    ("-3 2 -1 0", [0.0057, 0.8390, 0.0418, 0.1135], 5e-5),
    ("2 3 5", [0.04201007, 0.11419519, 0.8437947], 5e-8),
    ("1.5 .8 -.2", [0.596, 0.296, 0.109], 6e-4),  # .59549.. stands there as .596, rounded twice
    ("1 -2 0", [0.71, 0.04, 0.26], 6e-3),
    ("2 1 .5", [0.629, 0.231, 0.140], 6e-4),
]
LOSSES = [
    ("-3 2 -1 0", 1, "cross_entropy", 0.1755, 5e-5),
    ("-3 2 -1 0", 0, "cross_entropy", 5.1755, 5e-5),
    ("4 -4 3", 2, "cross_entropy", 1.3135068, 2e-7),  # a single-precision figure; in full it is 1.31350690
    ("10 -10 -10", 0, "hinge", 0, 0),
    ("10 9 9", 0, "hinge", 0, 0),
    ("10 -10 -10", 0, "cross_entropy", 0.00, 5e-3),
    ("10 9 9", 0, "cross_entropy", 0.55, 5e-3),
]


@pytest.fixture
def document(run_cli):
    def run(*arguments):
        result = run_cli("explain", "--json", *arguments)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return run


def column(found, name):
    return [each[name] for each in found["classes"]]


@pytest.mark.parametrize(("scores", "expected", "tolerance"), PROBABILITIES)
def test_the_worked_probabilities_come_out(document, scores, expected, tolerance):
    assert column(document(*scores.split()), "probability") == pytest.approx(expected, abs=tolerance)


def test_the_worked_probabilities_of_123_456_789_come_out(document):
    found = column(document(123, 456, 789), "probability")
    assert found == pytest.approx([5.75e-290, 2.40e-145, 1], rel=2e-3, abs=0)


def test_halved_scores_give_the_worked_probabilities(document):
    scaling = document("--scale", "0.5", 1, -2, 0)["scaling"]
    assert scaling["scores"] == [0.5, -1, 0]
    assert scaling["probabilities"] == pytest.approx([0.55, 0.12, 0.33], abs=6e-3)


@pytest.mark.parametrize(("scores", "label", "loss", "expected", "tolerance"), LOSSES)
def test_the_worked_losses_come_out(document, scores, label, loss, expected, tolerance):
    assert document("--label", label, *scores.split())[loss] == pytest.approx(expected, abs=tolerance)


def test_the_worked_gradient_comes_out(document):
    found = column(document(4, -4, 3, "--label", 2), "gradient")
    assert found == pytest.approx(
        [0.73087937, 0.00024518, -0.73112452], abs=5e-8
    )  # single precision, as above


@pytest.mark.parametrize(
    "arguments",
    [
        "--label 0 -3 2 -1 0",
        "--label 0 -- -3 2 -1 0",
        "-3 2 -1 0 --label 0",
        "-3 --label=0 2 -1 -0.0",
        "--label 0 -3e0 2 -1. 0",
    ],
)
def test_negative_numbers_are_scores_with_and_without_dashes(document, arguments):
    assert column(document(*arguments.split()), "score") == [-3, 2, -1, 0]


def test_the_text_shows_every_step(run_cli):
    text = run_cli("explain", "--label", 0, -3, 2, -1, 0).stdout
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "0 -3.0000 -5.0000 0.0067 0.0057 0 -0.9943" in lines
    assert "1 2.0000 0.0000 1.0000 0.8390 1 0.8390" in lines
    assert "sum 1.1919 1.0000 1 0.0000" in lines
    assert "cross-entropy 5.1755 log 1.1919 - (-5.0000) = -log p" in lines
    assert "hinge 13.0000 sum of 3 margins s_j - (-3.0000) + 1 above 0" in lines
    assert "1 2.0000 0.8390 102.0000 0.8390 1.0000 0.5977" in lines
    assert "dp_i/ds_j 0 1 2 3" in lines
    for said in (
        "Push all, pull one",
        "changes not one digit",
        "makes the answer softer",
        "only one with the highest",
    ):
        assert said in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("5 5 1", "classes 0, 1 tie for the highest score"),
        ("10 8 --label 0", "The hinge is content and moves nothing"),
        ("1 2 --scale 0", "all classes equally likely"),
        ("1 2 --scale 2", "makes the answer sharper"),
        ("1 2 --scale 1", "Multiplying by 1 changes nothing"),
        ("1 2 3 --add 1e100", "the differences are lost"),
        ("1 2", "name the right class with --label"),
        ("123 456 789", "5.75e-290"),
        (" ".join(map(str, range(13))), "13 x 13 numbers, with --json"),
        (" ".join(map(str, range(30))) + " --label 0", "The 25 classes of highest score, of 30"),
    ],
)
def test_what_is_special_about_the_scores_is_said(run_cli, arguments, said):
    result = run_cli("explain", *arguments.split())
    assert result.exit_code == 0
    assert said in " ".join(result.stdout.split())


def test_of_many_classes_the_label_stays_in_the_table(run_cli):
    lines = run_cli("explain", *range(30), "--label", 0).stdout.splitlines()
    assert [line.split()[0] for line in lines if line[:2].strip().isdigit()].count(
        "0"
    ) == 3  # steps, bars, changes


def test_tables_are_aligned(run_cli):
    text = run_cli("explain", "--classes", "cat,a longer name", 1e5, -2).stdout
    table = text.split("\n\n")[0].splitlines()
    assert len({len(line) for line in table}) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("nan 1", "Error: SCORES: expected finite numbers up to 1e+100, got nan; leave it out"),
        ("1 -inf", "Error: SCORES: expected finite numbers up to 1e+100, got -inf; leave it out"),
        ("1 1e400", "Error: SCORES: expected finite numbers up to 1e+100, got 1e400; leave it out"),
        ("7", "Error: SCORES: expected at least two, one per class, got 1; for example"),
        ("", "Error: SCORES: expected at least two, one per class, got none; for example"),
        ("1 x", "Error: SCORES: expected numbers with spaces between, got 'x'"),
        ("1 2 --label 2", "Error: --label: expected a class name or an index from 0 to 1, got '2'"),
        ("1 2 --label -1", "Error: --label: expected a class name or an index from 0 to 1, got '-1'"),
        ("1 2 --label dgo --classes cat,dog", "did you mean dog?"),
        ("1 2 --classes cat", "Error: --classes: expected 2 names, one per score, got 1"),
        ("1 2 --scale -1", "Error: --scale: expected a number from 0 to 1e+100, got -1"),
        ("1 2 --scale nan", "Error: --scale: expected a number from 0 to 1e+100, got nan"),
        ("1 2 --add inf", "Error: --add: expected a finite number up to 1e+100, got inf"),
        ("1 2 --out bars.docx", "Error: bars.docx: expected a file name ending in .png"),
        ("1 2 --model m --image i", "Error: SCORES: expected none beside --model and --image, got 2"),
        ("--model m", "Error: --image: expected --model and --image together, got one of them; add --image"),
        ("--image i", "Error: --model: expected --model and --image together, got one of them; add --model"),
        ("--model m --image i --classes a,b", "Error: --classes: expected none beside --model"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(run_cli, tmp_path, arguments, message):
    result = run_cli("explain", *arguments.split())
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert (result.stdout, list(tmp_path.iterdir())) == ("", [])


def test_a_missing_model_is_exit_code_3(run_cli):
    result = run_cli("explain", "--model", "gone", "--image", "i.png")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "gone" in result.stderr


@pytest.mark.parametrize("option", ["--lable", "-x", "-3x", "--5"])
def test_an_unknown_option_is_refused(run_cli, option):
    result = run_cli("explain", option, 0, -3, 2)
    assert result.exit_code == 2
    assert "No such option" in result.stderr


def test_a_misspelt_option_brings_a_suggestion(run_cli):
    assert "--label" in run_cli("explain", "--lable", 0, 1, 2).stderr.splitlines()[-1]


def test_a_picture_is_written_where_asked(run_cli, tmp_path):
    result = run_cli("explain", 1, -2, "--out", "bars.svg")
    assert result.stdout.endswith("Wrote bars.svg\n")
    assert "<svg" in (tmp_path / "bars.svg").read_text()


@pytest.mark.parametrize(
    ("share", "fine", "plain"),
    [(0, "", ""), (0.5, "█" * 12, "#" * 12), (1, "█" * 24, "#" * 24), (0.01, "▎", ""), (0.03, "▊", "#")],
)
def test_a_bar_is_as_long_as_its_share(share, fine, plain):
    assert (bar(share), bar(share).translate(PLAIN)) == (fine, plain)


def test_score_bars_grow_to_both_sides_of_one_axis():
    bars = [score_bar(score, -1, 3) for score in (-1, 0, 3)]
    assert bars == ["██████│" + " " * 18, " " * 6 + "│" + " " * 18, " " * 6 + "│" + "█" * 18]
    assert score_bar(0, 0, 0) == "│" + " " * 24


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0.0000"), (-0.0, "0.0000"), (0.1755, "0.1755"), (5.75e-290, "5.75e-290"), (-1e6, "-1e6")],
)
def test_figures_keep_what_there_is_to_see(value, text):
    assert decimals(value) == text


def test_an_output_without_block_letters_gets_plain_ones():
    result = CliRunner(charset="ascii").invoke(cli, ["explain", "1", "2", "--classes", "é,b"])
    assert result.exit_code == 0
    assert "|####" in result.stdout
    assert "\\xe9" in result.stdout
