"""scikit-learn estimators over `fit` and `tune`; they work without scikit-learn too, which an extra brings."""
