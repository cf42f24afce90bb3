"""Parameters of estimators, which are settings of the command line by the names that they have there."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from softmaxclf.config.schema import SECTIONS
from softmaxclf.errors import SoftmaxclfError

SETTING = re.compile(rf"(?:--|\b(?:{'|'.join(SECTIONS)})\.)([a-z][a-z_-]*)")  # as an option, or its key


def given(estimator: Any, names: Iterable[str]) -> dict[str, Any]:
    """The parameters of these names that are not None, and `random_state` as the setting `seed` where it is not."""
    known = {name: getattr(estimator, name) for name in names if hasattr(estimator, name)}
    state = estimator.random_state
    seed = {} if state is None else {"seed": _seed(state)}
    return {name: _plain(value) for name, value in known.items() if value is not None} | seed


@contextmanager
def as_value_errors() -> Iterator[None]:
    """Let our own errors be the ValueError that users of estimators expect, with settings called as parameters are."""
    try:
        yield
    except SoftmaxclfError as error:
        raise ValueError(SETTING.sub(lambda found: found[1].replace("-", "_"), str(error))) from error


def _plain(value: Any) -> Any:
    """A NumPy number as Python's own, as a grid of parameters may hold it."""
    return value.item() if isinstance(value, np.generic) else value


def _seed(random_state: Any) -> int:
    """An integer itself; of a generator the next draw."""
    if hasattr(random_state, "randint"):
        return int(random_state.randint(2**31))
    if hasattr(random_state, "integers"):
        return int(random_state.integers(2**31))
    return int(random_state)
