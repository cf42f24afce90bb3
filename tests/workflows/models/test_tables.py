"""From a table to a model and back: names of columns and classes hold together, whatever their order."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from sklearn.datasets import load_iris, load_wine

from softmaxclf.model_file import load_model

Run = Callable[..., Result]
ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.usefixtures("undrawn")


def write(path: Path, data: Any, order: list[int] | None = None, label: str = "label") -> Path:
    """A CSV of scikit-learn's data with its names, the columns in that order."""
    order = order or list(range(data.data.shape[1]))
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([label, *(data.feature_names[k] for k in order)])
        for row, target in zip(data.data.tolist(), data.target, strict=True):
            writer.writerow([data.target_names[target], *(row[k] for k in order)])
    return path


@pytest.mark.parametrize("load", [load_iris, load_wine])
def test_small_tables_reach_095_with_the_shipped_configuration(
    load: Callable[[], Any], run_cli: Run, tmp_path: Path
) -> None:
    write(tmp_path / "a.csv", load())
    config = ROOT / "configs" / "table.yaml"
    summary = json.loads(run_cli("tune", "-c", config, "--data", "a.csv", "--out", "run", "--json").stdout)
    assert (
        summary["splits"]["validation"]["accuracy"] >= 0.95 and summary["splits"]["test"]["accuracy"] >= 0.95
    )
    model = load_model(tmp_path / "run")
    assert model.feature_names == tuple(load().feature_names) and model.class_names == tuple(
        sorted(load().target_names.tolist())
    )


@pytest.fixture
def iris(run_cli: Run, tmp_path: Path) -> Any:
    """The iris, and a model of them in run."""
    data = load_iris()
    write(tmp_path / "iris.csv", data, label="species")
    options = ("--set", "data.label=species", "--set", "training.regularization=0.01")
    assert run_cli("train", "--data", "iris.csv", *options, "--out", "run").exit_code == 0
    return data


def test_columns_are_found_by_name_in_another_order(iris: Any, run_cli: Run, tmp_path: Path) -> None:
    own = json.loads(run_cli("evaluate", "run", "--data", "iris.csv", "--json").stdout)
    assert own["rows"] == 30
    own_notes = run_cli("evaluate", "run").stderr
    assert own_notes.count("30 of its 150 rows are drawn as test rows") == 1
    write(tmp_path / "turned.csv", iris, [3, 0, 2, 1], label="species")
    result = run_cli("evaluate", "run", "--data", "turned.csv", "--json")
    assert "so all of them are scored" in result.stderr and "are drawn as test rows" not in result.stderr
    turned = json.loads(result.stdout)
    model = load_model(tmp_path / "run")
    wanted = (model.predict(iris.data.astype(np.float32)) == iris.target).sum()
    assert (turned["rows"], turned["correct"]) == (150, wanted)
    train = json.loads(
        run_cli("evaluate", "run", "--data", "turned.csv", "--split", "train", "--json").stdout
    )
    assert train["accuracy"] > 0.9
    run_cli("predict", "run", "turned.csv", "--out", "p.csv")
    run_cli("predict", "run", "iris.csv", "--out", "q.csv")
    assert (tmp_path / "p.csv").read_bytes() == (tmp_path / "q.csv").read_bytes()


def test_columns_that_the_model_does_not_know_are_ignored_as_predict_ignores_them(
    iris: Any, run_cli: Run, tmp_path: Path
) -> None:
    header, *lines = (tmp_path / "iris.csv").read_text().splitlines()
    extra = [f"{header},colour,label", *(f"{line},blue,7" for line in lines)]
    (tmp_path / "extra.csv").write_text("\n".join(extra))
    for split in ("test", "train"):
        result = run_cli("evaluate", "run", "--data", "extra.csv", "--split", split, "--json")
        assert result.exit_code == 0 and json.loads(result.stdout)["accuracy"] > 0.9
        assert "extra.csv: columns that the model does not know are ignored: colour, label" in result.stderr


@pytest.mark.parametrize("rows", [1, 12])
@pytest.mark.parametrize("split", ["test", "train"])
def test_rows_of_one_class_are_scored(split: str, rows: int, iris: Any, run_cli: Run, tmp_path: Path) -> None:
    lines = (tmp_path / "iris.csv").read_text().splitlines()
    (tmp_path / "one.csv").write_text("\n".join([lines[0], *lines[101 : 101 + rows]]))
    result = run_cli("evaluate", "run", "--data", "one.csv", "--split", split, "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 0 and found["per_class"][2]["support"] == found["rows"] > 0
    assert split == "train" or found["rows"] == rows
    assert "Error" not in result.stderr and "classes without" not in result.stderr
    refused = run_cli("train", "--data", "one.csv", "--set", "data.label=species", "--out", "none")
    assert refused.exit_code == 3 and "expected at least 2 classes in column 'species'" in refused.stderr


def test_data_settings_are_set_over_those_of_the_model(iris: Any, run_cli: Run, tmp_path: Path) -> None:
    text = (tmp_path / "iris.csv").read_text().replace("species", "sort", 1)
    (tmp_path / "sort.csv").write_text(text)
    refused = run_cli("evaluate", "run", "--data", "sort.csv")
    assert refused.exit_code == 3 and "name it with data.label" in refused.stderr
    result = run_cli("evaluate", "run", "--data", "sort.csv", "--set", "data.label=sort", "--json")
    assert result.exit_code == 0 and json.loads(result.stdout)["rows"] == 30
    again = run_cli("evaluate", "run", "--set", "data.seed=1", "--json")
    assert again.exit_code == 0 and "some may be rows of the training" in again.stderr


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("training.loss=hinge", "--set training.loss: expected a key of data, as data.label"),
        ("data.source=x.csv", "name the data set with --data"),
        ("data.lable=x", "did you mean label?"),
        ("data.test=many", "--set data.test=many: expected"),
    ],
)
def test_other_settings_are_refused_in_one_line(
    assignment: str, said: str, iris: Any, run_cli: Run, tmp_path: Path
) -> None:
    result = run_cli("evaluate", "run", "--set", assignment)
    assert result.exit_code == 2 and said in result.stderr and len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("command", [["predict", "run"], ["evaluate", "run", "--data"]])
def test_a_column_that_the_model_needs_is_not_to_be_left_out(
    command: list[str], ending: str, iris: Any, run_cli: Run, tmp_path: Path
) -> None:
    file = tmp_path / f"gap.{ending}"
    text = (tmp_path / "iris.csv").read_text().replace("setosa,5.1,", "setosa,,", 1)
    if ending == "csv":
        file.write_text(text)
    else:
        arrow, parquet = pytest.importorskip("pyarrow.csv"), pytest.importorskip("pyarrow.parquet")
        parquet.write_table(arrow.read_csv(io.BytesIO(text.encode())), file)
    result = run_cli(*command, file.name)
    assert result.exit_code == 3 and "--set" not in result.stderr and "data.ignore" not in result.stderr
    assert result.stderr.endswith("column 'sepal length (cm)'; fill it in or delete the row\n")


def test_classes_are_matched_by_name(iris: Any, run_cli: Run, tmp_path: Path) -> None:
    later = iris.target > 0  # without setosa, so that numbers would be others
    iris.data, iris.target = iris.data[later], iris.target[later]
    write(tmp_path / "two.csv", iris, label="species")
    result = run_cli("evaluate", "run", "--data", "two.csv", "--json")
    assert "its classes are found among the model's by name" in result.stderr
    assert json.loads(result.stdout)["accuracy"] > 0.9


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "virginica",
            "venus",
            "expected classes that the model knows (setosa, versicolor, virginica), found 'venus'; ",
        ),
        (
            "petal length (cm)",
            "length",
            "expected the column 'petal length (cm)', which the model was trained on",
        ),
    ],
)
def test_what_the_model_does_not_know_is_said(
    old: str, new: str, said: str, iris: Any, run_cli: Run, tmp_path: Path
) -> None:
    (tmp_path / "other.csv").write_text((tmp_path / "iris.csv").read_text().replace(old, new))
    result = run_cli("evaluate", "run", "--data", "other.csv")
    assert result.exit_code == 3 and said in result.stderr


def test_a_class_too_many_is_an_error(iris: Any, run_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text(
        (tmp_path / "iris.csv").read_text() + "venus,1,2,3,4\nvenus,2,3,4,5\n"
    )
    result = run_cli("evaluate", "run", "--data", "other.csv")
    assert result.exit_code == 3
    assert (
        "expected classes that the model knows (setosa, versicolor, virginica), found 'venus'"
        in result.stderr
    )


def test_numbers_of_weights_have_names(iris: Any, run_cli: Run, tmp_path: Path) -> None:
    result = run_cli("visualize-weights", "run", "--csv", "w.csv")
    assert result.exit_code == 0
    lines = (tmp_path / "w.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["feature", *iris.feature_names]
    facts = json.loads(run_cli("visualize-weights", "run", "--json").stdout)["classes"]
    assert facts[0]["strongest"]["feature"] in iris.feature_names
    run_cli("report", "run")
    assert ">petal width (cm)<" in (tmp_path / "run" / "report.html").read_text()
