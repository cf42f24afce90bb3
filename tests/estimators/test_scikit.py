"""The estimators among scikit-learn's own tools, by scikit-learn's own checks."""

import pickle

import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

from softmaxclf import SoftmaxClassifier, SoftmaxClassifierCV
from tests.estimators.data import blobs

FEW = SoftmaxClassifierCV(regularizations=(1e-3, 0.1), cv=3)


@parametrize_with_checks([SoftmaxClassifier(), FEW, SoftmaxClassifier(scale="unit-norm", center=False)])
def test_every_check_of_scikit_learn_passes(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_the_whole_path_with_five_folds_passes_the_checks_too():
    results = check_estimator(SoftmaxClassifierCV(), on_fail=None)
    assert [each for each in results if each["status"] not in ("passed", "skipped")] == []


def test_it_is_a_step_of_a_pipeline_whose_parameters_a_grid_search_sets():
    X, y = blobs()
    pipeline = make_pipeline(StandardScaler(), SoftmaxClassifier())
    search = GridSearchCV(pipeline, {"softmaxclassifier__regularization": np.logspace(-3, 1, 3)}).fit(X, y)
    assert search.best_score_ == search.cv_results_["mean_test_score"].max() > 0.6
    assert cross_val_score(pipeline, X, y).min() > 0.5


def test_calibration_and_clones_work():
    X, y = blobs()
    estimator = SoftmaxClassifier(regularization=0.01)
    calibrated = CalibratedClassifierCV(estimator, cv=3).fit(X, y)
    assert calibrated.score(X, y) > 0.6
    assert clone(estimator).get_params() == estimator.get_params()


def test_a_pickled_estimator_predicts_and_goes_on_as_the_one_it_was():
    X, y = blobs()
    estimator = SoftmaxClassifier(random_state=1).partial_fit(X, y, classes=[0, 1, 2])
    copy = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(copy.predict_proba(X), estimator.predict_proba(X))
    np.testing.assert_array_equal(copy.partial_fit(X, y).coef_, estimator.partial_fit(X, y).coef_)


def test_other_processes_fit_it_too():
    X, y = blobs()
    strengths = (0.01, 1.0)
    found = Parallel(n_jobs=2)(
        delayed(SoftmaxClassifier(regularization=each).fit)(X, y) for each in strengths
    )
    for each, strength in zip(found, strengths, strict=True):
        here = SoftmaxClassifier(regularization=strength).fit(X, y)
        np.testing.assert_allclose(each.coef_, here.coef_, rtol=1e-10)


def test_a_frame_behind_set_output_gives_its_columns_their_names():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed, whose frames this is about")
    X, y = blobs()
    frame = pandas.DataFrame(X, columns=list("abcd"))
    pipeline = make_pipeline(StandardScaler(), SoftmaxClassifier()).set_output(transform="pandas")
    pipeline.fit(frame, y)
    assert list(pipeline[-1].feature_names_in_) == list("abcd")
    with pytest.raises(ValueError, match="feature names"):
        pipeline[-1].predict(pandas.DataFrame(X, columns=list("dcba")))


@pytest.mark.parametrize("classes", [2, 3])
def test_without_scaling_it_is_the_logistic_regression_of_scikit_learn(classes):
    X, y = blobs(classes=classes)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    own = SoftmaxClassifier(scale="none", center=False, regularization=0.02).fit(X, y)
    # Of two classes its penalty is that of the difference of their weights, twice that of each for itself.
    C = 1 / (len(X) * 0.02) * (2 if classes == 2 else 1)
    other = LogisticRegression(C=C, tol=1e-10, max_iter=10_000).fit(X, y)
    np.testing.assert_allclose(own.coef_, other.coef_, atol=1e-5)
    np.testing.assert_allclose(own.predict_proba(X), other.predict_proba(X), atol=1e-6)


def test_the_representation_says_what_was_changed():
    assert repr(SoftmaxClassifier(scale="none")) == "SoftmaxClassifier(scale='none')"
    assert "SoftmaxClassifier" in SoftmaxClassifier()._repr_html_()
