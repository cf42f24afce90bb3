"""The optimum of real and of awkward tables against scikit-learn's, in float64 and to many digits."""

import json

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_wine
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

pytestmark = pytest.mark.usefixtures("no_pictures")
STRENGTHS = (1e-4, 1e-2, 1.0)


def awkward(far=False, rows=400):
    """Columns of scales 1e-3 to 1e3, two of them sums of others, one constant; three classes.

    They lie 50 deviations from 0, or `far`: up to a million, which float32 cannot hold.
    """
    generator = np.random.default_rng(4)
    scales = np.logspace(-3, 3, 8)
    X = generator.normal(size=(rows, 8)) * scales + (np.linspace(-1e3, 1e3, 8) if far else 50 * scales)
    scores = (X - X.mean(axis=0)) / X.std(axis=0) @ generator.normal(size=(8, 3))
    y = (scores + generator.gumbel(size=scores.shape)).argmax(axis=1)
    return np.column_stack([X, X[:, 6] + X[:, 7], X[:, 0] - 2 * X[:, 1], np.full(rows, 5.0)]), y


TABLES = {
    "digits": lambda: load_digits(return_X_y=True),
    "wine": lambda: load_wine(return_X_y=True),
    "awkward": awkward,
    "far": lambda: awkward(far=True),
}


@pytest.mark.parametrize(
    ("table", "dtype"),
    [
        ("digits", "float32"),
        ("digits", "uint8"),
        ("wine", "float32"),
        ("wine", "float64"),
        ("awkward", "float32"),
        ("awkward", "float64"),
        ("far", "float64"),
    ],
)
def test_every_objective_is_within_its_proven_gap_of_the_reference(run_cli, tmp_path, table, dtype):
    X, y = TABLES[table]()
    X = X.astype(dtype)
    np.savez(tmp_path / "data.npz", X_train=X, y_train=y, X_validation=X[:20], y_validation=y[:20])
    grid = ("--regularizations", ",".join(map(str, STRENGTHS)), "--out", tmp_path / "run", "--json")
    result = run_cli("tune", "--data", tmp_path / "data.npz", *grid)
    assert result.exit_code == 0, result.stderr
    X = X.astype(np.float64)
    Z = X - X.mean(axis=0)
    deviations = Z.std(axis=0)
    Z = np.divide(Z, deviations, out=np.zeros_like(Z), where=deviations > 1e-12 * np.abs(X).max(axis=0))
    for cell in json.loads(result.stdout)["cells"]:
        strength = cell["regularization"]
        reference = LogisticRegression(
            C=1 / (len(y) * strength), solver="newton-cg", tol=1e-10, max_iter=9999
        )
        with threadpool_limits(1):  # with other tests beside them, its threads wait for each other
            reference.fit(Z, y)
        logs = reference.predict_log_proba(Z)[np.arange(len(y)), y]
        least = -logs.mean() + 0.5 * strength * np.square(reference.coef_).sum()
        assert cell["proven"] and cell["gap"] <= 1e-4
        assert least * (1 - 1e-6) <= cell["objective"] <= least * (1 + cell["gap"] + 1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("folds", [0, 3])
def test_columns_far_from_zero_are_scored_as_they_were_solved(run_cli, tmp_path, dtype, folds):
    """Seconds since 1970, for example: products of the raw column in float32 would keep none of its digits."""
    generator = np.random.default_rng(1)
    y = generator.integers(0, 2, 400)
    deviation = 10.0 if dtype == "float64" else 4000.0  # float32 holds steps of 128 there
    X = np.column_stack(
        [1.7e9 + deviation * (generator.normal(size=400) + 2 * y), generator.normal(size=400)]
    )
    X = X.astype(dtype)
    np.savez(tmp_path / "far.npz", X_train=X[:300], y_train=y[:300], X_test=X[300:], y_test=y[300:])
    grid = ("--regularizations", "1e-3,1e-2", "--folds", folds, "--out", tmp_path / "run", "--json")
    told = json.loads(run_cli("tune", "--data", tmp_path / "far.npz", *grid).stdout)
    train = told["splits"]["train"]
    assert train["loss"] < told["objective"] < 1.2 * train["loss"]
    assert told["splits"]["test"]["accuracy"] > 0.7
    assert all(abs(cell["train_accuracy"] - train["accuracy"]) < 0.02 for cell in told["cells"])
