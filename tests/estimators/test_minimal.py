"""The estimators without scikit-learn: in a process in which it cannot be imported."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys
sys.modules["sklearn"] = None
import numpy as np
from softmaxclf import SoftmaxClassifier, SoftmaxClassifierCV

y = np.arange(60) % 3
X = np.random.default_rng(0).standard_normal((60, 4)) + 3 * np.eye(3, 4)[y]


def said(call, kind=ValueError):
    try:
        call()
    except kind as error:
        return str(error)
    raise AssertionError("nothing was refused")


"""
CASES = {
    "fits, predicts and scores": """
found = SoftmaxClassifier(regularization=0.01).fit(X, y.astype(str), sample_weight=1 + y)
assert found.score(X, y.astype(str), 1 + y) > 0.9 and found.predict(X[:3]).tolist() == ["0", "1", "2"]
assert SoftmaxClassifierCV(regularizations=(0.1, 0.01), cv=3).fit(X, y).best_score_ > 0.8
assert found.partial_fit(X, y.astype(str)).n_features_in_ == 4
""",
    "has parameters": """
found = SoftmaxClassifier(scale="none").set_params(regularization=0.5)
assert repr(found) == "SoftmaxClassifier(regularization=0.5, scale='none')"
assert found._repr_html_().startswith("<pre>SoftmaxClassifier(") and found.get_params()["scale"] == "none"
assert "expected parameters out of regularization" in said(lambda: found.set_params(C=1))
""",
    "makes patch features": """
from softmaxclf import PatchFeatures
images = np.random.default_rng(0).integers(0, 256, (60, 6, 6, 3)).astype(np.uint8)
found = PatchFeatures(filters=4, patch=3)
assert "is not fitted yet" in said(lambda: found.transform(images))
features = found.fit_transform(images)
assert features.shape == (60, len(found.get_feature_names_out())) and found.n_features_in_ == 108
assert SoftmaxClassifier().fit(features, y).score(features, y) > 0.3
assert repr(found) == "PatchFeatures(filters=4, patch=3)"
""",
    "refuses what cannot be": """
class Sparse:
    toarray = None
new = SoftmaxClassifier
assert "is not fitted yet" in said(lambda: new().predict(X))
assert "expected a dense array" in said(lambda: new().fit(Sparse(), y), TypeError)
assert "NaN or inf" in said(lambda: new().fit(np.full((60, 2), np.nan), y))
assert "expected rows of features" in said(lambda: new().fit(X[0], y))
assert "60 labels" in said(lambda: new().fit(X, y[:3]))
assert "got continuous numbers" in said(lambda: new().fit(X, y + 0.5))
assert "expected 4 features" in said(lambda: new().fit(X, y).predict(X[:, :2]))
assert "expected at least 2 classes" in said(lambda: new().fit(X, 0 * y))
""",
}


@pytest.mark.parametrize("name", CASES)
def test_without_scikit_learn_it(name):
    result = subprocess.run([sys.executable, "-c", SCRIPT + CASES[name]], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
