"""Finding, opening and closing the run folder of a command: is its work done, unfinished, or another's?"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from softmaxclf.config import Config, TuningConfig, config_differences, dump_config, load_config, to_dict
from softmaxclf.errors import DataError, RunConflictError
from softmaxclf.runs import CONFIG, MANIFEST, RunFolder, claim, environment, now, read_json, read_manifest
from softmaxclf.workflows.runs.training import Recipe
from softmaxclf.workflows.runs.training_data import TrainingData

FINISHED, PARTIAL, RUNNING = "finished", "partial", "running"


@dataclass(frozen=True)
class Request:
    """What the user asked a training command for. out None stands for runs/<command>-<8 hex>.

    test: of `train`, whether to score the test split, which `tune` always does.
    """

    command: str
    config: Config
    out: Path | None = None
    overwrite: bool = False
    max_time: float | None = None
    test: bool = False


@dataclass
class Session:
    """An opened run folder and its manifest."""

    folder: RunFolder
    manifest: dict[str, Any]

    @property
    def finished(self) -> bool:
        """Whether the folder already holds the whole result."""
        return bool(self.manifest["status"] == FINISHED)

    def found(self) -> str:
        """One line about a run that was found finished."""
        return f"{self.folder.path} holds this very run, finished; use --overwrite to do it again"

    def save(self, **facts: Any) -> None:
        """Complete the manifest with `facts` and write it."""
        self.manifest.update(facts)
        self.folder.write_manifest(self.manifest)

    def abandon(self) -> None:
        """Take the run back: it has no result, and its folder is free for another."""
        self.folder.clear()

    def close(self, status: str, seconds: Mapping[str, float]) -> None:
        """Say in the manifest that the result is there. A finished run needs no checkpoints any more."""
        self.save(status=status, ended=now(), seconds=dict(seconds))
        if status == FINISHED:
            self.folder.delete_checkpoints()


@contextmanager
def opened(request: Request, data: TrainingData) -> Iterator[Session]:
    """Claim the run folder of the request, refuse it if it holds something else, and write its manifest."""
    path = request.out or default_path(request, data)
    with claim(path) as folder:
        if (path / MANIFEST).exists():
            if request.overwrite:
                _make_room(folder)
        elif folder.holds_other_files():
            raise RunConflictError(
                f"{path}: expected an empty folder or a run, found other files; choose another folder with --out"
            )
        manifest = read_manifest(path)
        if manifest is None:
            manifest = _new_manifest(request, data)
        else:
            _refuse_another_run(folder, manifest, request, data)
        if manifest["status"] != FINISHED:
            manifest.update(environment())
            manifest["sittings"] = manifest.get("sittings", 0) + 1
            session = Session(folder, manifest)
            session.save(status=RUNNING)
            folder.write_text(CONFIG, dump_config(request.config))
        yield Session(folder, manifest)


def default_path(request: Request, data: TrainingData) -> Path:
    """runs/<command>-<8 hex>: the same settings and the same data give the same folder."""
    identity = json.dumps([to_dict(comparable(request.config, request.command)), data.fingerprint])
    return Path("runs") / f"{request.command}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"


def comparable(config: Config, command: str) -> Config:
    """`config` without what cannot change the command's result: where the data lie, and the other command's part."""
    defaults = Config()
    data = replace(
        config.data,
        source=defaults.data.source,
        directory=defaults.data.directory,
        download=defaults.data.download,
        cache=defaults.data.cache,
    )
    if command == "train":
        return replace(config, data=data, tuning=TuningConfig())
    axes = {name: getattr(defaults.training, name) for name in Recipe.of(config).solver.axes}
    training = replace(config.training, **axes)
    return replace(config, data=data, training=training, tuning=replace(config.tuning, memory=None))


def _new_manifest(request: Request, data: TrainingData) -> dict[str, Any]:
    dataset = data.dataset
    return {
        "command": request.command,
        "status": RUNNING,
        "started": now(),
        "sittings": 0,
        "data": {
            "name": dataset.name,
            "path": dataset.path,
            "fingerprint": data.fingerprint,
            "train_rows": len(data.train_rows),
            "validation_rows": len(data.validation_rows),
            "features": dataset.features,
            "class_names": list(dataset.class_names),
            "remark": dataset.remark(),
        },
    }


def _make_room(folder: RunFolder) -> None:
    """Delete the run that the folder holds. Refuse one of another program: its files are not ours to delete."""
    try:
        content = read_json(folder.path / MANIFEST)
    except DataError:
        content = {"format_version": None}  # torn: who else would have written half of one
    if not (isinstance(content, dict) and "format_version" in content):
        raise RunConflictError(
            f"{folder.path / MANIFEST}: expected the manifest of a run, found another program's; "
            "choose another folder with --out"
        )
    # Until all is deleted this says that the run is unfinished, so that a kill in between leaves no empty "finished".
    folder.write_json(MANIFEST, {**content, "status": RUNNING})
    folder.clear()


def _refuse_another_run(
    folder: RunFolder, manifest: dict[str, Any], request: Request, data: TrainingData
) -> None:
    found = []
    if manifest.get("command") != request.command:
        found.append(f"command: {manifest.get('command')} -> {request.command}")
    stored_data = manifest.get("data", {}).get("fingerprint", "")
    if stored_data != data.fingerprint:
        found.append(f"data: {stored_data[:8]} -> {data.fingerprint[:8]}")
    if (folder.path / CONFIG).exists():
        stored = load_config(folder.path / CONFIG)
        found += config_differences(
            comparable(stored, request.command), comparable(request.config, request.command)
        )
    if found:
        raise RunConflictError(
            f"{folder.path}: holds another run ({'; '.join(found)}); choose another folder with --out, or replace "
            f"that run with --overwrite"
        )
    if manifest.get("status") not in (FINISHED, PARTIAL, RUNNING):
        raise RunConflictError(f"{folder.path / MANIFEST}: expected a status, found none; use --overwrite")
