"""Models side by side: what differs between them, and whether it is more than chance."""

import csv
import json
import shutil
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from softmaxclf.cli.main import cli
from softmaxclf.core.metrics import paired_interval
from softmaxclf.core.numbers import exact
from softmaxclf.core.repeats import told_apart
from softmaxclf.datasets.sources import open_source
from softmaxclf.errors import ConfigError, DataError
from softmaxclf.model_file import load_model
from softmaxclf.workflows.models.compare import compare
from softmaxclf.workflows.models.comparison_files import curves_of
from softmaxclf.workflows.models.pairs import Contender, conclusion, foremost
from softmaxclf.workflows.observer import Observer


class Listener(Observer):
    """Keeps the warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture(scope="module")
def runs(
    undrawn: None, sample_folder: Path, features_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Runs on the sample that differ in loss and rate, one of `tune`, and one on features."""
    folder = tmp_path_factory.mktemp("compare")
    sample = ["--data", sample_folder, "--iterations", 50, "--set", "preprocessing.mirror=true"]
    for name, arguments in {
        "soft": ["train", *sample, "--learning-rate", 1e-6, "--regularization", 10, "--test"],
        "hinge": [
            "train",
            *sample,
            "--learning-rate",
            2e-7,
            "--regularization",
            10,
            "--set",
            "training.loss=hinge",
        ],
        "tuned": ["tune", *sample, "--learning-rates", "1e-7,1e-6", "--regularizations", "10"],
        "held": [
            "train",
            *sample,
            "--learning-rate",
            1e-6,
            "--regularization",
            10,
            "--set",
            "data.validation=500",
        ],
        "features": ["train", "--data", features_file, "--iterations", 5, "--set", "data.validation=100"],
    }.items():
        command = [*map(str, arguments), "--out", str(folder / name)]
        result = CliRunner().invoke(cli, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    return folder


@pytest.mark.slow
def test_the_figures_are_the_recorded_ones_and_what_is_missing_is_evaluated(runs: Path) -> None:
    listener = Listener()
    found = compare([runs / "soft", runs / "hinge"], listener)
    soft, hinge = found["models"]
    recorded = [
        json.loads((runs / name / "metrics.json").read_text())["splits"] for name in ("soft", "hinge")
    ]
    assert soft["splits"] == recorded[0] and list(soft["splits"]) == ["train", "validation", "test"]
    assert {name: hinge["splits"][name] for name in recorded[1]} == recorded[1] and "test" not in recorded[1]
    assert hinge["splits"]["test"]["rows"] == 1000
    assert listener.warnings == []
    assert found["settings"] == {
        "training.loss": ["softmax", "hinge"],
        "training.learning_rate": ["1e-6", "2e-7"],
    }


def test_the_paired_test_counts_rows_that_only_one_model_labels_right(
    runs: Path, sample_folder: Path
) -> None:
    found = compare([runs / "soft", runs / "hinge"], Observer())
    test = open_source(str(sample_folder), Path("data")).test()
    first, second = (load_model(runs / name).predict(test.X) == test.y for name in ("soft", "hinge"))
    only_first, only_second = int((first & ~second).sum()), int((~first & second).sum())
    n, k = only_first + only_second, min(only_first, only_second)
    expected = min(1, 2 * sum(comb(n, i) for i in range(k + 1)) / 2**n)
    (pair,) = found["pairs"]
    assert (pair["only_first_right"], pair["only_second_right"]) == (only_first, only_second)
    assert pair["p_value"] == pytest.approx(expected, rel=1e-9)
    assert pair["rows"] == found["rows"] == 1000


def test_of_a_tuned_model_the_chosen_values_count_and_not_the_grid(runs: Path) -> None:
    found = compare([runs / "soft", runs / "tuned"], Observer())
    best = json.loads((runs / "tuned" / "metrics.json").read_text())["best"]
    expected = {"made by": ["train", "tune"]}
    if best["learning_rate"] != 1e-6:
        expected["training.learning_rate"] = ["1e-6", exact(best["learning_rate"])]
    assert found["settings"] == expected


def test_a_bare_weights_file_is_evaluated_on_the_compared_split_only(runs: Path, tmp_path: Path) -> None:
    shutil.copy(runs / "soft" / "weights.npz", tmp_path / "other.npz")
    found = compare([runs / "soft" / "weights.npz", tmp_path / "other.npz"], Observer())
    folder, alone = found["models"]
    assert list(folder["splits"]) == ["train", "validation", "test"]
    assert alone["splits"] == {"test": folder["splits"]["test"]}
    assert [model["name"] for model in found["models"]] == ["soft", f"{tmp_path.name}/other.npz"]
    assert found["settings"] == {} and found["pairs"][0]["p_value"] == 1


def test_tables_and_pictures_hold_the_same_figures(runs: Path, tmp_path: Path) -> None:
    found = compare([runs / "soft", runs / "hinge", runs / "tuned"], Observer(), out=tmp_path / "out")
    folder = tmp_path / "out"
    assert sorted(file.name for file in folder.iterdir()) == sorted(found["files"])
    lines = list(csv.DictReader((folder / "compare.csv").read_text().splitlines()))
    assert [line["model"] for line in lines] == ["soft", "hinge", "tuned"]
    for line, model in zip(lines, found["models"], strict=True):
        for split, figures in model["splits"].items():
            assert float(line[f"{split}_accuracy"]) == figures["accuracy"]
            assert [float(line[f"{split}_{end}"]) for end in ("low", "high")] == figures["interval"]
            assert int(line[f"{split}_rows"]) == figures["rows"]
    pairs = list(csv.DictReader((folder / "pairs.csv").read_text().splitlines()))
    assert [float(line["p_value"]) for line in pairs] == [pair["p_value"] for pair in found["pairs"]]
    assert json.loads((folder / "comparison.json").read_text())["pairs"] == found["pairs"]
    for name in ("compare.png", "curves.png", "templates.png"):
        with Image.open(folder / name) as picture:
            assert picture.width == 1200


def test_the_difference_and_its_interval_are_of_the_rows_of_this_pair(
    runs: Path, sample_folder: Path
) -> None:
    (pair,) = compare([runs / "soft", runs / "hinge"], Observer())["pairs"]
    test = open_source(str(sample_folder), Path("data")).test()
    first, second = (load_model(runs / name).predict(test.X) == test.y for name in ("soft", "hinge"))
    table = [int(each.sum()) for each in (first & second, first & ~second, second & ~first, ~first & ~second)]
    assert pair["rows_difference"] == pytest.approx(first.mean() - second.mean())
    assert pair["interval"] == list(paired_interval(*table))


def pair_told(**figures: Any) -> str:
    """The conclusion of a pair of models a and b."""
    pair = {
        "first": "a",
        "second": "b",
        "rows_difference": 0.043,
        "interval": [0.029, 0.057],
        "difference": 0.043,
    }
    return conclusion({**pair, "noise": "unknown", **figures})


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ({"noise": "beyond"}, "a is 4.3 points better than b (2.9 to 5.7), beyond what a change of seed gives"),
        ({"noise": "within"}, "a is 4.3 points better than b (2.9 to 5.7), within what a change of seed gives"),
        ({}, "a is 4.3 points better than b (2.9 to 5.7); what a change of seed gives is not known"),
        ({"noise": "beyond", "difference": -0.02}, "a is 4.3 points better than b (2.9 to 5.7), but over several seeds "
                                                   "b is 2.0 points better"),
        ({"rows_difference": -0.043, "interval": [-0.057, -0.029], "difference": -0.04, "noise": "beyond"},
         "b is 4.3 points better than a (2.9 to 5.7), beyond what a change of seed gives"),
        ({"rows_difference": 0.003, "interval": [-0.011, 0.017], "noise": "only seeds differ"},
         "These rows cannot tell a from b: a is 0.3 points better (-1.1 to 1.7); they differ in seeds alone, so that "
         "is the noise of training"),
        ({"rows_difference": 0.0, "interval": [-0.01, 0.01], "noise": "nothing differs"},
         "a and b were made alike: a is 0.0 points better (-1.0 to 1.0)"),
    ],
)  # fmt: skip
def test_a_comparison_concludes_in_a_sentence(figures: dict[str, Any], told: str) -> None:
    assert pair_told(**figures) == told


def test_the_conclusion_is_about_the_most_accurate_model(runs: Path) -> None:
    found = compare([runs / "hinge", runs / "soft", runs / "tuned"], Observer())
    best = max(found["models"], key=lambda model: model["splits"]["test"]["accuracy"])["name"]
    assert len(foremost(found)) == 2
    assert all(best in (pair["first"], pair["second"]) for pair in foremost(found))


@pytest.mark.slow
def test_curves_are_drawn_over_epochs_where_batch_sizes_differ(
    runs: Path, sample_folder: Path, tmp_path: Path
) -> None:
    command = [
        "train",
        "--data",
        sample_folder,
        "--iterations",
        50,
        "--batch-size",
        400,
        "--out",
        tmp_path / "wide",
    ]
    CliRunner().invoke(cli, list(map(str, command)), catch_exceptions=False)
    folders = [runs / "soft", runs / "hinge", tmp_path / "wide"]
    contenders = [Contender(folder.name, folder, load_model(folder)) for folder in folders]
    alike, along = curves_of(contenders[:2])
    assert along == "iteration" and alike[0].loss[0].max() == 50
    lines, along = curves_of(contenders)
    assert along == "epoch"
    assert [line.loss[0].max() for line in lines] == pytest.approx([50 * 200 / 4000] * 2 + [50 * 400 / 4000])


def test_models_without_images_have_no_templates(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "features", tmp_path / "copy")
    found = compare([runs / "features", tmp_path / "copy"], Observer(), out=tmp_path / "out")
    assert "templates.png" not in found["files"] and "curves.png" in found["files"]


def test_models_of_different_data_are_refused_unless_rows_are_named(
    runs: Path, features_file: Path, tmp_path: Path
) -> None:
    with np.load(features_file) as arrays:
        other = {**arrays, "X_train": arrays["X_train"] + 1}
    np.savez(tmp_path / "other.npz", **other)
    command = [
        "train",
        "--data",
        str(tmp_path / "other.npz"),
        "--iterations",
        "5",
        "--set",
        "data.validation=100",
    ]
    CliRunner().invoke(cli, [*command, "--out", str(tmp_path / "run")], catch_exceptions=False)
    both = [runs / "features", tmp_path / "run"]
    with pytest.raises(ConfigError, match=r"models of the same data, found features \(.*--data"):
        compare(both, Observer())
    found = compare(both, Observer(), source=str(features_file))
    assert [list(model["splits"]) for model in found["models"]] == [["test"], ["test"]]
    assert found["settings"]["data"][0] != found["settings"]["data"][1]


def test_models_that_cannot_be_compared_give_one_clear_line(runs: Path, tmp_path: Path) -> None:
    for models, split, message in (
        ([runs / "soft", runs / "features"], "test", "of the same classes, found 10 in .* and 3 in"),
        ([runs / "soft", runs / "soft" / ".." / "soft"], "test", "one of them twice"),
        ([runs / "soft", runs / "held"], "validation", "have other validation rows"),
    ):
        with pytest.raises(ConfigError, match=message):
            compare(models, Observer(), split=split)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics.json", "{}"),
        ("metrics.json", '{"splits": {"test": {"accuracy": 1}}}'),
        ("metrics.json", "{"),
        ("history.csv", "a,b\n1,2\n"),
        ("history.csv", "iteration,loss,train_accuracy,validation_accuracy\n1,2,x,4\n"),
        ("history.csv", "iteration,loss,train_accuracy,validation_accuracy\n1,2\n"),
    ],
)
def test_a_broken_file_of_a_run_gives_one_clear_line(
    runs: Path, tmp_path: Path, name: str, content: str
) -> None:
    shutil.copytree(runs / "features", tmp_path / "broken")
    (tmp_path / "broken" / name).write_text(content)
    with pytest.raises(DataError, match=f"broken/{name}: expected"):
        compare([runs / "features", tmp_path / "broken"], Observer(), out=tmp_path / "out")


def test_recorded_figures_that_are_no_longer_found_are_warned_of(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "soft", tmp_path / "changed")
    metrics = json.loads((tmp_path / "changed" / "metrics.json").read_text())
    metrics["splits"]["test"]["correct"] += 1
    (tmp_path / "changed" / "metrics.json").write_text(json.dumps(metrics))
    listener = Listener()
    compare([runs / "hinge", tmp_path / "changed"], listener)
    assert len(listener.warnings) == 1 and "the data are not what they were" in listener.warnings[0]


# The noise of training


@pytest.fixture(scope="module")
def seeded(undrawn: None, features_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs on features with shots, of which another seed gives others: `a0` to `a2`, `tuned0` and `tuned1` differ in
    seeds alone, `weak` and the grid `repeated` in more.
    """
    folder = tmp_path_factory.mktemp("seeded")
    common = ["--data", features_file, "--set", "data.validation=100", "--shots", 5]
    grid = ["tune", *common, "--regularizations", "0.01,1"]
    strong, weak = (["train", *common, "--regularization", value] for value in (1, 1e-5))
    commands = {
        **{f"a{seed}": [*strong, "--set", f"data.seed={seed}"] for seed in range(3)},
        **{f"tuned{seed}": [*grid, "--set", f"data.seed={seed}"] for seed in range(2)},
        "weak": weak,
        "repeated": [*grid, "--repeats", 4],
    }
    for name, arguments in commands.items():
        command = [str(word) for word in [*arguments, "--out", folder / name]]
        assert CliRunner().invoke(cli, command, catch_exceptions=False).exit_code == 0
    return folder


def pair_of(folder: Path, *names: str) -> dict[str, Any]:
    """The first pair of these models."""
    pair: dict[str, Any] = compare([folder / name for name in names], Observer())["pairs"][0]
    return pair


@pytest.mark.parametrize("names", [("a0", "a1"), ("tuned0", "tuned1"), ("repeated", "tuned1")])
def test_models_that_differ_in_seeds_alone_differ_by_the_noise_of_training(
    seeded: Path, names: tuple[str, str]
) -> None:
    pair = pair_of(seeded, *names)
    assert pair["noise"] == "only seeds differ" and pair["least_difference"] is None
    accuracies = [evaluated(seeded / name) for name in names]
    assert pair["difference"] == pytest.approx(accuracies[0] - accuracies[1])


def evaluated(run: Path) -> float:
    """The accuracy of a run's model on its test rows."""
    manifest = json.loads((run / "manifest.json").read_text())
    test = open_source(manifest["data"]["path"], Path("data")).test()
    return float(np.mean(load_model(run).predict(test.X) == test.y))


def test_the_same_model_twice_differs_in_nothing(seeded: Path, tmp_path: Path) -> None:
    shutil.copytree(seeded / "a0", tmp_path / "copy")
    (pair,) = compare([seeded / "a0", tmp_path / "copy"], Observer())["pairs"]
    assert pair["noise"] == "nothing differs" and pair["p_value"] == 1
    shutil.copytree(seeded / "repeated", tmp_path / "first")
    (pair,) = compare([seeded / "tuned0", tmp_path / "first"], Observer())["pairs"]
    assert pair["noise"] == "nothing differs", "repeats change neither the grid nor the first seed"


def test_without_other_seeds_the_noise_of_training_is_unknown(seeded: Path) -> None:
    pair = pair_of(seeded, "a0", "weak")
    assert pair["noise"] == "unknown" and pair["least_difference"] is None


def test_repeats_of_one_run_tell_what_another_seed_gives(seeded: Path) -> None:
    recorded = json.loads((seeded / "repeated" / "metrics.json").read_text())["repeats"]["test"]["accuracies"]
    pair = pair_of(seeded, "repeated", "weak")
    difference, least = told_apart(recorded, [evaluated(seeded / "weak")])
    assert pair["difference"] == pytest.approx(difference)
    assert pair["least_difference"] == pytest.approx(least)
    assert pair["noise"] == ("beyond" if abs(difference) > least else "within")


def test_models_that_are_compared_too_tell_what_another_seed_gives(seeded: Path, tmp_path: Path) -> None:
    shutil.copytree(seeded / "a1", tmp_path / "copy")  # one seed twice is one seed
    places = [seeded / "weak", *(seeded / f"a{seed}" for seed in range(3)), tmp_path / "copy"]
    pair = compare(places, Observer())["pairs"][0]
    difference, least = told_apart([evaluated(places[0])], [evaluated(place) for place in places[1:4]])
    assert pair["difference"] == pytest.approx(difference)
    assert pair["least_difference"] == pytest.approx(least)


def test_a_difference_that_no_seed_gives_is_beyond_the_noise(seeded: Path, tmp_path: Path) -> None:
    """Another accuracy of each repeat is recorded, so that they vary by 0.1 points."""
    shutil.copytree(seeded / "repeated", tmp_path / "steady")
    path = tmp_path / "steady" / "metrics.json"
    metrics = json.loads(path.read_text())
    for mean, noise in ((evaluated(seeded / "weak") + 0.5, "beyond"), (evaluated(seeded / "weak"), "within")):
        metrics["repeats"]["test"]["accuracies"] = [mean - 0.001, mean, mean + 0.001]
        path.write_text(json.dumps(metrics))
        assert compare([tmp_path / "steady", seeded / "weak"], Observer())["pairs"][0]["noise"] == noise


def test_repeats_are_of_their_own_data_alone(seeded: Path, features_file: Path) -> None:
    both = [seeded / "repeated", seeded / "weak"]
    (pair,) = compare(both, Observer(), source=str(features_file))["pairs"]
    assert pair["noise"] == "unknown"


def test_broken_repeats_in_metrics_give_one_clear_line(seeded: Path, tmp_path: Path) -> None:
    shutil.copytree(seeded / "repeated", tmp_path / "broken")
    path = tmp_path / "broken" / "metrics.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "repeats": {"test": {"accuracies": "many"}}}))
    with pytest.raises(DataError, match="expected the metrics of a run, found something else"):
        compare([tmp_path / "broken", seeded / "weak"], Observer())
