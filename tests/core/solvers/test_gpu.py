"""What is computed on a real GPU, against NumPy; all else of it runs on the processor in the tests beside this one."""

from dataclasses import replace

import numpy as np
import pytest

from softmaxclf.core.devices import device_of
from softmaxclf.core.problem import Cells
from softmaxclf.core.solvers.lbfgs.solver import LBFGS
from softmaxclf.core.solvers.lbfgs.solver import Settings as OptimumSettings
from softmaxclf.core.solvers.sgd.state import Settings
from softmaxclf.errors import ConfigError
from tests.core.solvers.sgd.test_solver import IMAGE, assert_close, cells_of, make_problem, trained
from tests.core.solvers.sgd.test_solver import rows_and_labels as made

pytestmark = pytest.mark.gpu


@pytest.fixture(params=["cuda single", "cuda mixed", "mps single"])
def device(request):
    try:
        return device_of(*request.param.split())
    except ConfigError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("scale", ["none", "standardize", "unit-norm"])
@pytest.mark.parametrize("mirror", [None, IMAGE])
@pytest.mark.parametrize("folds", [None, 3])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("loss", ["softmax", "hinge"])
def test_descent_on_a_gpu_is_that_of_numpy(device, scale, mirror, folds, momentum, loss):
    X, y = made(90, seed=1)
    problem = make_problem(X, y, scale=scale, mirror=mirror, folds=folds, dtype=np.float32)
    rate = 1e-6 if scale == "none" else 1e-2
    cells = cells_of([rate] * 3, [1.0, 2.0, 3.0], None if folds is None else [0, 1, 2])
    chosen = Settings(25, 16, loss, momentum)
    here, there = trained(problem, cells, chosen), trained(replace(problem, device=device), cells, chosen)
    for place in range(3):
        assert_close(there.weights(place), here.weights(place), 1e-4)
        assert_close(there.b[:, place], here.b[:, place], 1e-4)


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_the_optimum_on_a_gpu_is_proven(device, kind):
    X, y = made(300, seed=2)
    problem = replace(make_problem(X.astype(kind), y, scale="standardize"), device=device)
    cells = Cells({"regularization": np.array([1.0, 0.1])}, np.full(2, -1), np.arange(2))
    solver = LBFGS(problem, OptimumSettings(), LBFGS.start(problem, OptimumSettings(), cells))
    assert solver.run(2) and solver.state.proven.all()
