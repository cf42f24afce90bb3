import numpy as np
import pytest

from softmaxclf.core.checks.stepcheck import engine_checks
from softmaxclf.core.solvers.sgd.solver import SGD

IMAGE = (3, 4, 5)
NAMES = ["raw rows", "centered", "centered, bias trick", "standardized", "unit norm", "mirror-folded"]


@pytest.fixture(scope="module")
def images():
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (50, 60)).astype(np.uint8), np.arange(50) % 3


@pytest.mark.parametrize("loss", ["softmax", "hinge"])
def test_the_engine_steps_along_the_gradient_whatever_the_preprocessing(images, loss):
    checks = engine_checks(*images, 3, loss=loss, seed=1, image_shape=IMAGE)
    assert [check.name for check in checks] == NAMES
    assert [check.found for check in checks if not check.passed] == []


def test_rows_that_are_no_images_are_not_folded(images):
    checks = engine_checks(*images, 3, loss="softmax", seed=1, image_shape=None)
    assert [check.name for check in checks] == NAMES[:-1]


def stepping_wrongly(monkeypatch, spoil):
    """Let every step of the engine end in `spoil(solver, V before, b before)`."""
    right = SGD.run

    def wrong(self, until, *others):
        before = self.state.V.copy(), self.state.b.copy()
        reached = right(self, until, *others)
        spoil(self, *before)
        return reached

    monkeypatch.setattr(SGD, "run", wrong)


def passed(images):
    checks = engine_checks(*images, 3, loss="softmax", seed=1, image_shape=IMAGE)
    return [check.passed for check in checks]


def weights_too_far(solver, V, b):
    solver.state.V[..., 1] += 1e-6 * (solver.state.V - V)[..., 1]


def bias_too_far(solver, V, b):
    solver.state.b[..., 1] += 1e-6 * (solver.state.b - b)[..., 1]


@pytest.mark.parametrize("spoil", [weights_too_far, bias_too_far])
def test_a_step_that_is_off_by_a_millionth_in_one_block_of_one_cell_is_caught(images, monkeypatch, spoil):
    stepping_wrongly(monkeypatch, spoil)
    assert passed(images) == [False] * len(NAMES)


def test_a_regularized_bias_is_caught_where_it_is_free(images, monkeypatch):
    def spoil(solver, V, b):
        if not solver.settings.regularize_bias:
            values = solver.state.cells.values
            solver.state.b[:] -= values["learning_rate"] * values["regularization"] * b

    stepping_wrongly(monkeypatch, spoil)
    assert passed(images) == [name == "centered, bias trick" for name in NAMES]
