"""Finding, opening and closing the run folder of a command: is its work done, unfinished, or another's?"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from softmaxclf.config import (
    Config,
    EngineConfig,
    TuningConfig,
    differences,
    dump_config,
    load_config,
    texts_of,
    to_dict,
)
from softmaxclf.core.devices import NUMPY
from softmaxclf.errors import ConfigError, DataError, RunConflictError
from softmaxclf.runs import (
    CALIBRATED,
    CLEARED,
    CONFIG,
    EXPORTS,
    FINISHED,
    MANIFEST,
    PARTIAL,
    REPORT,
    RUNNING,
    UNLISTED,
    WEIGHTS,
    WRITTEN,
    RunFolder,
    claim,
    environment,
    has_form,
    now,
    read_json,
    read_manifest,
)
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.device import own_device
from softmaxclf.workflows.runs.engine import Engine
from softmaxclf.workflows.runs.training import Recipe
from softmaxclf.workflows.runs.training_data import TrainingData

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """What the user asked a training command for. out None stands for runs/<command>-<8 hex>.

    test: of `train`, whether to score the test split, which `tune` always does. engine: who computes.
    """

    command: str
    config: Config
    out: Path | None = None
    overwrite: bool = False
    max_time: float | None = None
    test: bool = False
    engine: Engine = field(default_factory=Engine)


@dataclass
class Session:
    """An opened run folder."""

    folder: RunFolder

    @property
    def manifest(self) -> Manifest:
        """What the folder's manifest says now."""
        return self.folder.manifest

    @property
    def finished(self) -> bool:
        """Whether the folder already holds the whole result."""
        return self.manifest["status"] in (WRITTEN, FINISHED)

    def found(self) -> str:
        """One line about a run that was found finished."""
        edited = f"; its {CONFIG} was edited, and is not what it was made with" if self._edited() else ""
        return f"{self.folder.path} holds this very run, finished; use --overwrite to do it again{edited}"

    def _edited(self) -> bool:
        """Whether config.yaml says anything else than the manifest, which counts."""
        try:
            config = load_config(self.folder.path / CONFIG)
        except ConfigError:
            return True
        said = texts_of(comparable(config, self.manifest["command"]))
        return bool(differences(self.manifest["settings"], said))

    def abandon(self) -> None:
        """Take the run back: it has no result, and its folder is free for another."""
        self.folder.free()

    def close(self, *, complete: bool, seconds: Mapping[str, float]) -> None:
        """Say in the manifest that the result is there: the whole one, or that of a run that was cut short."""
        self.folder.close(FINISHED if complete else PARTIAL, ended=now(), seconds=dict(seconds))


@contextmanager
def opened(request: Request, data: TrainingData, observer: Observer) -> Iterator[Session]:
    """Claim the run folder of the request, refuse it if it holds something else, and write its manifest."""
    with claim(request.out or default_path(request, data)) as folder:
        session = Session(folder)
        wanted = _new_manifest(request, data)
        folder.manifest = _agreed(folder, wanted, request)
        folder.sweep()
        if session.finished:
            _complete(folder, request)
        else:
            sittings = folder.manifest["sittings"] + 1
            folder.save(**environment(), engine=_engine(request.config), sittings=sittings, status=RUNNING)
            folder.write_text(CONFIG, dump_config(request.config))
        observer.opened(folder.path, folder.manifest["settings"])
        yield session


def _engine(config: Config) -> dict[str, Any]:
    """The section engine, with the device that is used."""
    if config.engine.elsewhere:
        return asdict(config.engine)
    device = own_device(config)
    return asdict(replace(config.engine, device=NUMPY if device is None else device.name))


def _agreed(folder: RunFolder, wanted: Manifest, request: Request) -> Manifest:
    """The manifest of the run that the folder holds, if it is the one that is wanted, or `wanted` where it holds none.

    With --overwrite a run that is there makes room first. Raises RunConflictError.
    """
    if request.overwrite:
        _make_room(folder, wanted)
    found = read_manifest(folder.path)
    if found is None:
        if folder.holds_other_files():
            raise RunConflictError(
                f"{folder.path}: expected an empty folder or a run, found other files; "
                "choose another folder with --out"
            )
        return wanted
    if found["status"] == CLEARED:
        folder.manifest = found
        folder.remove(folder.files)
        return wanted
    if others := _contrasts(found, wanted):
        raise RunConflictError(
            f"{folder.path}: holds another run ({'; '.join(others)}); choose another folder with --out, or replace "
            f"that run with --overwrite"
        )
    if found["status"] not in (RUNNING, PARTIAL, WRITTEN, FINISHED):
        raise RunConflictError(f"{folder.path / MANIFEST}: expected a status, found none; use --overwrite")
    return found


def _complete(folder: RunFolder, request: Request) -> None:
    """Make good what a finished run may lack. Raises DataError where that cannot be done without training."""
    if not (folder.path / WEIGHTS).is_file():
        raise DataError(
            f"{folder.path / WEIGHTS}: expected those of a finished run, found none; train it again with --overwrite"
        )
    if not (folder.path / CONFIG).is_file():
        folder.write_text(CONFIG, dump_config(request.config))
    if folder.manifest["status"] == WRITTEN:
        folder.tidy()


def default_path(request: Request, data: TrainingData) -> Path:
    """runs/<command>-<8 hex>: the same settings and the same data give the same folder."""
    identity = json.dumps([to_dict(comparable(request.config, request.command)), data.fingerprint])
    return Path("runs") / f"{request.command}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"


def comparable(config: Config, command: str) -> Config:
    """`config` without what cannot change the command's result but for its last digits: where the data lie, who
    computes and where, and the other command's part. So one engine goes on with a run that another has begun.
    """
    defaults = Config()
    data = replace(
        config.data,
        source=defaults.data.source,
        directory=defaults.data.directory,
        download=defaults.data.download,
        cache=defaults.data.cache,
    )
    config = replace(config, data=data, engine=EngineConfig())
    if command == "train":
        return replace(config, tuning=TuningConfig())
    axes = {name: getattr(defaults.training, name) for name in Recipe.of(config).solver.axes}
    training = replace(config.training, **axes)
    return replace(config, training=training, tuning=replace(config.tuning, memory=None))


def _new_manifest(request: Request, data: TrainingData) -> Manifest:
    dataset = data.dataset
    return {
        "command": request.command,
        "status": RUNNING,
        "started": now(),
        "sittings": 0,
        "overwrites": request.overwrite,
        **environment(),
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
        "settings": texts_of(comparable(request.config, request.command)),
        "files": [CONFIG, REPORT, CALIBRATED, *EXPORTS],  # but for the first, also made by other commands
    }


def _make_room(folder: RunFolder, wanted: Manifest) -> None:
    """Free the folder of the run that it holds, but for an unfinished one that the same command began.

    Refuse the folder of another program: its files are not ours to delete.
    """
    try:
        found = read_json(folder.path / MANIFEST)
    except DataError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return
        if isinstance(error.__cause__, OSError):
            raise
        found = {"format_version": None}  # torn: who else would have written half of one
    if not (isinstance(found, dict) and "format_version" in found):
        raise RunConflictError(
            f"{folder.path / MANIFEST}: expected the manifest of a run, found another program's; "
            "choose another folder with --out"
        )
    if _began_alike(folder, wanted):
        return
    listed = found.get("files")
    folder.manifest = {**wanted, "files": listed if has_form(listed, [str]) else [*UNLISTED]}
    folder.save(status=CLEARED)


def _began_alike(folder: RunFolder, wanted: Manifest) -> bool:
    """Whether the folder holds an unfinished run that this very command, with --overwrite, began."""
    try:
        found = read_manifest(folder.path)
    except RunConflictError:
        return False
    if found is None or found["status"] not in (RUNNING, PARTIAL):
        return False
    return found.get("overwrites") is True and not _contrasts(found, wanted)


def _contrasts(found: Manifest, wanted: Manifest) -> list[str]:
    """In what the run of one manifest is another than that of the other."""
    contrasts = []
    if found["command"] != wanted["command"]:
        contrasts.append(f"command: {found['command']} -> {wanted['command']}")
    before, after = (each["data"]["fingerprint"] for each in (found, wanted))
    if before != after:
        contrasts.append(f"data: {before[:8]} -> {after[:8]}")
    if "settings" not in found:
        return [*contrasts, "settings: not recorded"]
    return contrasts + differences(found["settings"], wanted["settings"])
