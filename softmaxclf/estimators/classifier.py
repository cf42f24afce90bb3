"""`SoftmaxClassifier`: one softmax linear classifier as a scikit-learn estimator."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softmaxclf.config import Config, load_config
from softmaxclf.core.images import ImageShape
from softmaxclf.core.problem import History, Problem
from softmaxclf.core.search import grid_cells
from softmaxclf.core.solvers.sgd.solver import SGD
from softmaxclf.core.solvers.sgd.state import SGDState
from softmaxclf.datasets.dataset import Dataset
from softmaxclf.estimators.base import checked_labels
from softmaxclf.estimators.linear import POLISH, LinearClassifier, as_value_errors, weighed
from softmaxclf.workflows.fit import Trained, keys, row_weights, trained
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.automatic import decided
from softmaxclf.workflows.runs.training import Recipe, build_problem
from softmaxclf.workflows.runs.training_data import split_up

Array = NDArray[Any]
STREAMED = {"solver": "sgd", "schedule": "constant"}  # settings of partial_fit, whatever is given


class SoftmaxClassifier(LinearClassifier):
    """The least mean cross-entropy + 0.5 * regularization * |W|^2 over standardized features.

    Every parameter but the last three is a setting of `softmaxclf train` by its name there, and None leaves it to the
    command's default: standardized features, a regularization that suits the data, and the optimum over all rows
    (solver lbfgs); a learning rate, iterations, batch size, momentum or schedule asks for minibatch descent (sgd).
    scikit-learn's C is 1 / (N * regularization).
    image_shape: (channels, height, width) where rows are images. class_weight: weights by class, or "balanced".
    random_state: seed of the order of rows in descent; None is the same as 0.

    Attributes: classes_ (K,); coef_ (K, D) and intercept_ (K,), float64, on raw rows, preprocessing folded in, of two
    classes (1, D) and (1,); with scale "unit-norm" they act on centered rows of length 1. n_iter_: readings of all
    rows, or steps of descent. loss_curve_: the objective at each of the solver's points, or the mean losses of
    descent. model_: the LinearModel with its preprocessing, which explains a row by `evidence`.
    """

    _velocity: tuple[Array, Array] | None = None  # of descent that partial_fit goes on with

    def __init__(
        self,
        *,
        regularization: float | None = None,
        learning_rate: float | None = None,
        solver: str | None = None,
        tolerance: float | None = None,
        max_passes: int | None = None,
        iterations: int | None = None,
        batch_size: int | None = None,
        momentum: float | None = None,
        schedule: str | None = None,
        loss: str | None = None,
        regularize_bias: bool | None = None,
        center: bool | None = None,
        scale: str | None = None,
        mirror: bool | None = None,
        image_shape: ImageShape | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            solver=solver, tolerance=tolerance, max_passes=max_passes, iterations=iterations,
            batch_size=batch_size, momentum=momentum, schedule=schedule, loss=loss,
            regularize_bias=regularize_bias, center=center, scale=scale, mirror=mirror, image_shape=image_shape,
            class_weight=class_weight, random_state=random_state,
        )  # fmt: skip
        self.regularization, self.learning_rate = regularization, learning_rate

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Itself, fitted on rows X (N, D) with labels y (N,) of any kind; sample_weight (N,): how often each counts.

        Raises ValueError for arrays and parameters that cannot be.
        """
        dataset, classes, weights = self._training_set(X, y, sample_weight)
        with as_value_errors():
            found = trained(dataset, self._settings(), weights=weights, polish=POLISH)
            self._finish(found, classes)
        self._decided, self._velocity = _axes(found.config), None
        return self

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Itself after one more pass of minibatch descent over these rows, from the weights that it has.

        classes: all that will ever come, in the first call. Preprocessing, regularization and learning rate are decided
        by the rows of the first call, or by `fit`, unless they are given; the rate stays constant.
        Raises ValueError as `fit` does, and where a class is new.
        """
        first = not hasattr(self, "classes_")
        if first and classes is None:
            raise ValueError("classes: expected all classes in the first call of partial_fit, got None")
        rows, labels = checked_labels(self, X, y, reset=first)
        known = np.unique(np.asarray(classes)) if first else self.classes_
        if len(unknown := np.setdiff1d(labels, known)):
            raise ValueError(
                f"y: expected classes among the first call's, got {unknown.tolist()[0]!r}; name it there"
            )
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight: expected a mapping for partial_fit, which cannot know the balance"
            )
        codes = np.searchsorted(known, labels)
        weights = weighed(self.class_weight, known, codes, row_weights(sample_weight, len(rows)))
        with as_value_errors():
            return self._pass(self._dataset(rows, codes, known), known, weights)

    def _pass(self, dataset: Dataset, classes: Array, weights: Array | None) -> Self:
        """One pass of descent over these rows, by what was given and what the first rows decided."""
        settings = {**getattr(self, "_decided", {}), **self._settings(), **STREAMED}
        config = load_config(options={"data.validation": 0, **keys(settings)})
        data = split_up(config, dataset, Observer(), weights=weights)
        auto, config = (
            config.training.learning_rate is None,
            decided(config, lambda: data, "train", Observer()),
        )
        rate = config.training.learning_rate
        # No schedule ends at 0 here, and momentum makes steps 1 / (1 - momentum) as long.
        if auto and rate is not None:
            calm = rate * (1 - config.training.momentum)
            config = replace(config, training=replace(config.training, learning_rate=calm))
        past = list(getattr(self, "loss_curve_", ())), getattr(self, "n_iter_", 0)
        solver = self._descent(config, build_problem(config, data), past[1])
        solver.run(solver.length)
        self._finish(Trained(solver, config, data), classes)
        self.loss_curve_, self.n_iter_ = past[0] + self.loss_curve_, past[1] + self.n_iter_
        self._decided = _axes(config)
        self._velocity = solver.state.velocity.copy(), solver.state.b_velocity.copy()
        return self

    def _descent(self, config: Config, problem: Problem, steps: int) -> SGD:
        """Descent through the rows once, after so many steps."""
        if hasattr(self, "model_"):
            problem = replace(problem, preprocessing=[self.model_.preprocessing])
        settings = Recipe.of(config).settings
        iterations = -(-len(problem.train_rows) // settings.batch_size)
        seed = (settings.seed + steps) % 2**32
        settings = replace(settings, iterations=iterations, seed=seed, history_points=1)
        axes = _axes(config)
        # A row of weight w is w rows, whose steps are one that is so much longer.
        if problem.weights is not None:
            axes["learning_rate"] *= float(problem.weights[problem.train_rows].mean())
        cells = grid_cells({name: (value,) for name, value in axes.items()})
        return SGD(problem, settings, self._state(SGD.start(problem, settings, cells), problem))

    def _state(self, state: SGDState, problem: Problem) -> SGDState:
        """The state of descent at the weights and the velocity that were reached."""
        state.history = History()
        if hasattr(self, "model_"):
            W = self.model_.W - self.model_.W.mean(axis=1, keepdims=True)  # which changes no probability
            divisor = np.broadcast_to(problem.preprocessing[0].divisor, len(W))
            state.V[:, :, 0], state.b[:, 0] = (W / divisor[:, None])[:, 1:], self.model_.b
        if self._velocity is not None and self._velocity[0].shape == state.velocity.shape:
            state.velocity[:], state.b_velocity[:] = self._velocity
        return state


def _axes(config: Config) -> dict[str, float]:
    """The settings of a cell that are decided, by name."""
    axes = {name: getattr(config.training, name) for name in SGD.axes}
    return {name: value for name, value in axes.items() if value is not None}
