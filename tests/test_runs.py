"""Run folders: what they hold, who holds them, and what is said when a file in them is not what it was."""

import importlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from softmaxclf.errors import DataError, OutputError, RunConflictError
from softmaxclf.runs import (
    NUMBER,
    Maybe,
    claim,
    csv_text,
    has_form,
    read_json,
    read_manifest,
    read_metrics,
    to_json,
)

TRAIN = [
    "train",
    "--iterations",
    "12",
    "--batch-size",
    "20",
    "--learning-rate",
    "0.1",
    "--regularization",
    "0.01",
]
TUNE = ["tune", "--iterations", "12", "--batch-size", "20", "--learning-rates", "0.1,0.2,0.3", "--regularizations",
        "0,1", "--halving"]  # fmt: skip
COMMANDS = {"train": TRAIN, "tune": TUNE}
OTHERS: list[Any] = [None, [], {}, 0, -1, 1.5, True, "x", [None], {"x": None}]


@pytest.fixture
def run(
    run_cli: Callable[..., Result], features_file: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Run a training command into ./run without pictures and report, which take most of the time."""
    for name in ("_draw", "write_report"):
        monkeypatch.setattr(f"softmaxclf.workflows.runs.result.{name}", lambda *arguments: None)
    common = ["--data", features_file, "--set", "data.validation=50", "--out", "run"]
    return lambda command, *more: run_cli(*COMMANDS[command], *common, *more)


def explained(result: Result) -> None:
    """The command did its work, or said in one line of each problem why not."""
    assert result.exit_code in (0, 2, 3, 5), result.stderr
    if result.exit_code:
        errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
        assert len(errors) == 1 and "; " in errors[0], result.stderr


def variants(content: Any, depth: int = 3) -> Iterator[Any]:
    """The content with one value replaced by another, or left out, each in turn."""
    yield from (other for other in OTHERS if other != content or type(other) is not type(content))
    if depth and isinstance(content, dict):
        for key, value in content.items():
            yield {name: each for name, each in content.items() if name != key}
            yield from ({**content, key: other} for other in variants(value, depth - 1))
    if depth and isinstance(content, list) and content:
        yield from ([other, *content[1:]] for other in variants(content[0], depth - 1))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["manifest.json", "metrics.json"])
@pytest.mark.slow
def test_a_changed_file_of_a_finished_run_is_taken_or_refused_in_one_line(
    name: str, command: str, run: Callable[..., Result], tmp_path: Path
) -> None:
    assert run(command).exit_code == 0
    path = tmp_path / "run" / name
    content = json.loads(path.read_text())
    codes = set()
    for other in variants({key: value for key, value in content.items() if key != "seconds"}):
        path.write_text(json.dumps(other))
        result = run(command, "--quiet")
        explained(result)
        codes.add(result.exit_code)
        if name == "manifest.json":  # a lost status makes the command finish the run again
            shutil.rmtree(tmp_path / "run") if result.exit_code == 0 else None
            (tmp_path / "run").mkdir(exist_ok=True)
    assert codes & {3, 5}


@pytest.fixture
def unfinished(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Path]:
    """Make ./run a run that was trained but not finished, and return its folder."""

    def make(command: str) -> Path:
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        with monkeypatch.context() as patch, pytest.raises(OutputError):
            patch.setattr(f"softmaxclf.workflows.runs.{command}.finish", fails)
            run_raising(run, command)
        return tmp_path / "run"

    return make


def fails(*arguments: Any) -> None:
    raise OutputError("the disk: cannot be written: it is full; free some space")


def run_raising(run: Callable[..., Result], command: str) -> None:
    assert run(command).exit_code == 2
    raise OutputError


@pytest.mark.parametrize("command", COMMANDS)
def test_a_checkpoint_of_another_state_costs_time_but_not_the_result(
    command: str, run: Callable[..., Result], unfinished: Callable[[str], Path], tmp_path: Path
) -> None:
    assert run(command).exit_code == 0
    expected = (tmp_path / "run" / "weights.npz").read_bytes()
    path = unfinished(command) / "checkpoint.npz"
    with np.load(path, allow_pickle=False) as file:
        whole = {key: file[key] for key in file.files}
    facts = json.loads(str(whole["facts"]))
    changes: list[dict[str, Any]] = [
        {"facts": np.array(json.dumps(other))} for other in [*variants(facts, 1)][::5]
    ]
    for place, (key, array) in enumerate(whole.items()):
        changes.append({key: (None, array[..., None], np.zeros(0), np.array("x"))[place % 4]})
    changes += [
        {"V": whole["V"][:-1]},
        {"V": whole["V"].astype(np.float64)},
        {"cells_index": whole["cells_index"] + 1},
    ]
    started_again = 0
    for change in changes:
        unfinished_manifest(tmp_path)
        kept = {key: array for key, array in {**whole, **change}.items() if array is not None}
        np.savez(path, **kept)
        result = run(command)
        assert result.exit_code == 0, (change, result.stderr)
        if "starting this stack again" in result.stderr:
            started_again += 1
            assert (tmp_path / "run" / "weights.npz").read_bytes() == expected
    assert started_again > 0.7 * len(changes)


OTHERS_RUN = {"settings": ("--batch-size", "25"), "data": ("--set", "data.validation=60")}


@pytest.mark.parametrize("other", [*OTHERS_RUN, "none"])
def test_a_checkpoint_of_another_run_is_refused_in_one_line_and_does_not_reach_the_result(
    other: str, run: Callable[..., Result], unfinished: Callable[[str], Path], tmp_path: Path
) -> None:
    """Both have cells of the same values and states of the same shapes, which tell nothing."""
    assert run("train").exit_code == 0
    expected = (tmp_path / "run" / "weights.npz").read_bytes()
    path = unfinished("train") / "checkpoint.npz"
    if other == "none":  # it does not say whose it is
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        facts = {key: value for key, value in json.loads(str(arrays.pop("facts"))).items() if key != "run"}
        np.savez(path, facts=np.array(json.dumps(facts)), **arrays)
    else:
        kept = tmp_path / "theirs"
        path.parent.rename(tmp_path / "own")
        assert run("train", *OTHERS_RUN[other], "--max-time", "0.001").exit_code == 0
        path.rename(kept)
        shutil.rmtree(path.parent)
        (tmp_path / "own").rename(path.parent)
        kept.replace(path)
    result = run("train")
    assert result.exit_code == 0
    said = "expected a checkpoint of this run, found one of other settings or data; starting this stack again"
    assert said in result.stderr and "continuing" not in result.stderr
    assert (tmp_path / "run" / "weights.npz").read_bytes() == expected


@pytest.mark.parametrize("config", [None, "training: {seed: 5}\n", "training: [\n"])
def test_a_missing_or_edited_configuration_lets_no_run_pass_for_another(
    config: str | None, run: Callable[..., Result], unfinished: Callable[[str], Path], tmp_path: Path
) -> None:
    def edit() -> None:
        path = tmp_path / "run" / "config.yaml"
        path.write_text(config) if config else path.unlink()

    for make in (lambda: unfinished("train"), lambda: run("train")):
        make()
        edit()
        result = run("train", "--set", "training.seed=5")
        assert result.exit_code == 5, result.stderr
        assert "holds another run (training.seed: 0 -> 5); " in result.stderr
        assert run("train").exit_code == 0
    result = run("train")
    assert ("its config.yaml was edited" in result.stderr) == bool(config)
    assert (tmp_path / "run" / "config.yaml").exists()


def test_settings_that_this_version_does_not_know_are_another_run(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    assert run("train").exit_code == 0
    path = tmp_path / "run" / "manifest.json"
    content = json.loads(path.read_text())
    settings = {**content["settings"], "training.novelty": "7"}
    del settings["training.regularize_bias"]  # of a version before it, where its default was all there was
    path.write_text(json.dumps({**content, "settings": settings}))
    result = run("train")
    assert result.exit_code == 5 and "holds another run (training.novelty: 7 -> unknown); " in result.stderr
    del settings["training.novelty"]
    path.write_text(json.dumps({**content, "settings": settings}))
    assert run("train").exit_code == 0


def test_an_overwriting_run_that_was_interrupted_continues_with_the_same_command(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    assert run("train", "--set", "training.seed=1").exit_code == 0
    for number in range(2):
        assert run("train", "--overwrite", "--max-time", "0.001").exit_code == 0
        again = run("train", "--overwrite")
        assert again.exit_code == 0 and "continuing run at iteration" in again.stderr
        manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
        assert (manifest["sittings"], manifest["status"]) == (2, "finished"), number
    assert run("train", "--max-time", "0.001", "--overwrite", "--set", "training.seed=2").exit_code == 0
    again = run("train", "--overwrite")  # another command: the interrupted run goes
    assert again.exit_code == 0 and "continuing" not in again.stderr


def test_overwriting_a_run_that_was_begun_without_begins_again(run: Callable[..., Result]) -> None:
    assert run("train", "--max-time", "0.001").exit_code == 0
    again = run("train", "--overwrite")
    assert again.exit_code == 0 and "continuing" not in again.stderr


def test_a_run_that_diverged_leaves_its_folder_free_for_any_other(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    def diverge() -> None:
        assert run("train", "--learning-rate", "1e30").exit_code == 4

    diverge()
    assert not (tmp_path / "run").exists()
    run("train")
    (tmp_path / "run" / "notes.txt").write_text("mine")
    assert run("train", "--learning-rate", "1e30", "--overwrite").exit_code == 4
    assert sorted(each.name for each in (tmp_path / "run").iterdir()) == ["manifest.json", "notes.txt"]
    assert run("train").exit_code == 0
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


def removing(tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "run")


def moving(tmp_path: Path) -> None:
    (tmp_path / "run").rename(tmp_path / "elsewhere")


def removing_the_lock(tmp_path: Path) -> None:
    (tmp_path / "run" / ".lock").unlink()


def taking_over(tmp_path: Path) -> None:
    """As another process that began the same run in a folder that was removed."""
    shutil.rmtree(tmp_path / "run")
    (tmp_path / "run").mkdir()
    for name in (".lock", "manifest.json"):
        (tmp_path / "run" / name).write_text("of the other")


@pytest.mark.parametrize("happening", [removing, moving, removing_the_lock, taking_over])
@pytest.mark.parametrize("moment", ["trained", "finished"])
def test_a_folder_that_vanishes_ends_the_run_with_one_line_and_nothing_blocks_the_same_command(
    moment: str,
    happening: Callable[[Path], None],
    run: Callable[..., Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = {"trained": "train.only_model", "finished": "result._draw"}[moment]
    home, name = f"softmaxclf.workflows.runs.{place}".rsplit(".", 1)
    original = getattr(importlib.import_module(home), name)

    def disturbed(*arguments: Any) -> Any:
        happening(tmp_path)
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(f"{home}.{name}", disturbed)
        result = run("train")
    assert result.exit_code == 2
    assert result.stderr.count("Error: ") == 1
    assert "run: expected the folder of this run, found it removed, or taken over by another" in result.stderr
    if happening is taking_over:
        found = {each.name: each.read_text() for each in (tmp_path / "run").iterdir()}
        assert found == dict.fromkeys((".lock", "manifest.json"), "of the other")
        (tmp_path / "run" / "manifest.json").unlink()
    elif happening is not removing_the_lock:
        assert not (tmp_path / "run").exists()
    again = run("train")
    assert again.exit_code == 0, again.stderr


def unfinished_manifest(tmp_path: Path) -> None:
    path = tmp_path / "run" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "status": "running"}))


def test_stacks_that_are_not_the_grid_are_refused(
    run: Callable[..., Result], unfinished: Callable[[str], Path]
) -> None:
    path = unfinished("tune") / "manifest.json"
    content = json.loads(path.read_text())
    for stacks in (
        None,
        [],
        [[]],
        [[0, 1]],
        [[0, 1, 2, 3, 4, 6]],
        [[], [0, 1, 2, 3, 4, 5]],
        [[0.0, 1, 2, 3, 4, 5]],
    ):
        path.write_text(json.dumps({**content, "stacks": stacks}))
        result = run("tune")
        assert result.exit_code == 5 and "expected the grid's cells in stacks" in result.stderr
    path.write_text(json.dumps(content))
    assert run("tune").exit_code == 0


@pytest.mark.parametrize("name", ["weights.npz", "metrics.json", "config.yaml"])
def test_a_missing_file_of_a_finished_run_is_named_or_made_again(
    name: str, run: Callable[..., Result], tmp_path: Path
) -> None:
    assert run("train").exit_code == 0
    (tmp_path / "run" / name).unlink()
    explained(run("train"))
    assert run("train", "--overwrite").exit_code == 0
    assert (tmp_path / "run" / name).exists()


def test_overwrite_deletes_what_a_run_writes_and_nothing_else(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    assert run("train").exit_code == 0
    mine = ["notes.txt", "holiday.png", "checkpoint-notes.npz", "results.csv", ".weights.npz.mine.tmp"]
    for name in mine[:-1]:
        (tmp_path / "run" / name).write_text("mine")
    left = tmp_path / "run" / ".history.csv.abcdefgh.tmp"  # as a killed process leaves it
    left.touch()
    before = {each.name for each in (tmp_path / "run").iterdir()}
    assert run("train", "--overwrite", "--set", "training.seed=3").exit_code == 0
    assert {each.name for each in (tmp_path / "run").iterdir()} == before - {left.name}
    for name in mine[:-1]:
        assert (tmp_path / "run" / name).read_text() == "mine"


def test_names_that_lead_elsewhere_are_none_of_a_runs_files(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    assert run("train").exit_code == 0
    (tmp_path / "mine.txt").write_text("mine")
    path = tmp_path / "run" / "manifest.json"
    content = json.loads(path.read_text())
    strange = ["../mine.txt", str(tmp_path / "mine.txt"), "", ".", "..", "a/../../mine.txt"]
    path.write_text(json.dumps({**content, "files": [*content["files"], *strange]}))
    assert run("train", "--overwrite").exit_code == 0
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("manifest", [None, '{"name": "of another program"}', "[]"])
def test_overwrite_deletes_nothing_in_a_folder_that_holds_no_run(
    manifest: str | None, run: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    kept = {"photo.png": "mine", "config.yaml": "mine", **({"manifest.json": manifest} if manifest else {})}
    for name, content in kept.items():
        (tmp_path / "run" / name).write_text(content)
    for more in ([], ["--overwrite"]):
        assert run("train", *more).exit_code == 5
        assert {entry.name: entry.read_text() for entry in (tmp_path / "run").iterdir()} == kept


def test_a_kill_while_an_old_run_is_deleted_leaves_an_unfinished_run(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("train").exit_code == 0
    with monkeypatch.context() as patch:
        patch.setattr("softmaxclf.runs.RunFolder.remove", interrupted)
        assert run("train", "--overwrite").exit_code == 130
    (tmp_path / "run" / "weights.npz").unlink()
    assert run("train").exit_code == 0
    assert (tmp_path / "run" / "weights.npz").exists()


def interrupted(*arguments: Any) -> None:
    raise KeyboardInterrupt


def test_a_folder_of_other_files_is_no_place_for_a_run(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    result = run("train")
    assert result.exit_code == 5 and "found other files" in result.stderr
    assert [entry.name for entry in (tmp_path / "run").iterdir()] == ["notes.txt"]


def test_a_folder_that_is_held_is_refused_and_free_again_afterwards(tmp_path: Path) -> None:
    with claim(tmp_path / "run"):
        (tmp_path / "run" / "notes.txt").write_text("x")
        with (
            pytest.raises(RunConflictError, match="another softmaxclf process works in this folder"),
            claim(tmp_path / "run"),
        ):
            pytest.fail("two processes hold one folder")
    with claim(tmp_path / "run"):
        pass
    assert [entry.name for entry in (tmp_path / "run").iterdir()] == ["notes.txt"]


def test_a_folder_that_was_only_claimed_is_not_left_behind(tmp_path: Path) -> None:
    with claim(tmp_path / "a" / "run"):
        assert (tmp_path / "a" / "run").is_dir()
    assert not (tmp_path / "a" / "run").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"])
def test_broken_json_is_named(content: bytes, tmp_path: Path) -> None:
    for name, read, error in (
        ("manifest.json", read_manifest, RunConflictError),
        ("metrics.json", lambda path: read_metrics(path, "train"), DataError),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(error, match="expected JSON, found a broken file"):
            read(tmp_path)


def test_a_manifest_of_another_version_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"format_version": 2}')
    with pytest.raises(
        RunConflictError, match="expected format version 1, found 2; use the softmaxclf that wrote it"
    ):
        read_manifest(tmp_path)
    assert read_manifest(tmp_path / "nowhere") is None


def test_a_missing_json_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file or directory"):
        read_json(tmp_path / "metrics.json")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    )
)
def test_what_is_written_as_json_is_json_for_everybody(content: Any) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    json.loads(to_json(content), parse_constant=refuse)


@pytest.mark.parametrize(
    ("value", "form", "expected"),
    [
        (1, int, True), (True, int, False), (True, bool, True), (1, bool, False), (None, NUMBER, True),
        (1.5, NUMBER, True), ("1", NUMBER, False), ({"a": 1, "b": 2}, {"a": int}, True), ({"b": 2}, {"a": int}, False),
        ({"x": 1, "y": 2}, {str: int}, True), ({"x": 1, "y": "2"}, {str: int}, False),
        ({"x": 1}, {str: int, "y": int}, False), ([], [int], True),
        ([1, 2, 3], [int], True), ([1, "2"], [int], False), ([1, 2], [int, int], True), ([1], [int, int], False),
        ([1, 2, 3], [int, int], False), ({}, [int], False), ([], {"a": int}, False), (None, {"a": int}, False),
    ],
)  # fmt: skip
def test_a_form_tells_what_json_holds(value: Any, form: Any, expected: bool) -> None:
    assert has_form(value, form) is expected


def test_what_may_be_missing_must_be_right_where_it_is() -> None:
    form = {"a": int, "b": Maybe(NUMBER)}
    assert has_form({"a": 1}, form) and has_form({"a": 1, "b": None}, form)
    assert not has_form({"a": 1, "b": "x"}, form) and not has_form({"b": 1}, form)


def test_a_table_keeps_floats_exactly_and_leaves_nan_empty() -> None:
    text = csv_text(["a", "b"], [[0.1 + 0.2, float("nan")], [np.float64(1), 'x,"y"'], [np.float32("inf"), 3]])
    assert text == 'a,b\n0.30000000000000004,\n1.0,"x,""y"""\n,3\n'


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "＝", "＋", "－", "＠"])
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe(sign: str) -> None:
    assert csv_text([f"{sign}a"], [[f"{sign}SUM(1,2)"]]) == f"'{sign}a\n\"'{sign}SUM(1,2)\"\n"


def test_numbers_stay_numbers_in_a_table_also_as_class_names() -> None:
    assert csv_text(["-1", "+2.5e3"], [[-1.5, "-7"]]) == "-1,+2.5e3\n-1.5,-7\n"
