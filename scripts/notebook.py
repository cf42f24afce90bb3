"""softmaxclf beside scikit-learn, cell by cell: Pipelines, cross-validation, one prediction explained, an export.

Run it as it is, `python scripts/notebook.py [FOLDER]`, or open it where `# %%` begins a cell. It needs scikit-learn.
"""

# %% Rows: 1,797 images of 8 x 8 pixels
import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.feature_selection import VarianceThreshold
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline

from softmaxclf import PatchFeatures, SoftmaxClassifier, SoftmaxClassifierCV, load_model
from softmaxclf.workflows.models.export import export

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

# %% Train in a Pipeline; features need no scaling, and the regularization suits them
pipeline = make_pipeline(VarianceThreshold(), SoftmaxClassifier()).fit(X_train, y_train)
print(f"test accuracy {pipeline.score(X_test, y_test):.3f}")

# %% Cross-validate the whole pipeline, and choose the regularization by folds that are trained side by side
print(f"5 folds: {cross_val_score(pipeline, X_train, y_train).mean():.3f}")
kept = pipeline[0].get_support(indices=True)
search = SoftmaxClassifierCV(regularizations=np.logspace(-4, -1, 4)).fit(X_train[:, kept], y_train)
print(
    f"best {search.best_params_}: {search.best_score_:.3f}, test {search.score(X_test[:, kept], y_test):.3f}"
)

# %% Patches in place of pixels: filters are learned from the images that train, in every fold anew
patches = make_pipeline(PatchFeatures(filters=32, patch=3), SoftmaxClassifier()).fit(X_train, y_train)
folds = cross_val_score(patches, X_train, y_train)
print(f"patches: 5 folds {folds.mean():.3f}, test {patches.score(X_test, y_test):.3f}")

# %% Explain one prediction: the share of every pixel in the lead of the label over the runner-up adds up to it
row = X_test[0, kept]
runner_up, label = np.argsort(search.decision_function(row[None])[0])[-2:]
contributions, bias = search.model_.evidence(row)
lead = contributions[:, label] - contributions[:, runner_up]
scores = search.decision_function(row[None])[0]
assert np.isclose(lead.sum() + bias[label] - bias[runner_up], scores[label] - scores[runner_up])
for place in np.argsort(-np.abs(lead))[:3]:
    line, column = divmod(int(kept[place]), 8)
    print(
        f"pixel ({line}, {column}) = {row[place]:g} speaks {lead[place]:+.2f} for {label} against {runner_up}"
    )

# %% Export: what another program needs, compared with the model before it is written
search.save(folder / "digits.npz")
print(export(folder / "digits.npz", form="json", out=folder / "digits.json", overwrite=True)["formula"])
assert (load_model(folder / "digits.npz").predict(X_test[:, kept]) == search.predict(X_test[:, kept])).all()
