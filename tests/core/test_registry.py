"""The registries of what the engine is put together from: what each name stands for, and when it is loaded."""

import subprocess
import sys
from typing import Any

import pytest

from softmaxclf.core.losses import LOSSES
from softmaxclf.core.losses.loss import Loss
from softmaxclf.core.registry import Registry
from softmaxclf.core.solvers import SOLVERS
from softmaxclf.core.solvers.solver import Solver
from softmaxclf.core.stages import SCALES, STAGES
from softmaxclf.core.stages.stage import Reading, Stage


def loaded(registry: Registry) -> dict[str, Any]:
    return {name: registry.load(name) for name in registry}


def test_every_name_stands_for_what_its_registry_holds():
    assert all(isinstance(loss, Loss) and loss.name == name for name, loss in loaded(LOSSES).items())
    assert all(issubclass(solver, Solver) and solver.axes for solver in loaded(SOLVERS).values())
    assert all(issubclass(stage, Stage) for stage in loaded(STAGES).values())
    reading = {name: stage for name, stage in loaded(STAGES).items() if issubclass(stage, Reading)}
    assert all(stage.name == name for name, stage in reading.items())
    assert set(SCALES) - {"none"} <= set(STAGES)


def test_an_unknown_name_is_refused():
    with pytest.raises(KeyError, match="huber"):
        LOSSES.load("huber")


def test_the_names_are_known_without_loading_numpy():
    lines = [
        "import sys",
        "from softmaxclf.core import losses, solvers, stages",
        "print('numpy' in sys.modules)",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
