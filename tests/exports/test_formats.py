"""Every format gives the scores of the model, carries what belongs to it, and its library opens it unassisted."""

import io
import json
import math
import subprocess
import sys

import numpy as np
import pytest

from softmaxclf import fit
from softmaxclf.errors import ConfigError
from softmaxclf.exports import FORMATS
from softmaxclf.workflows.models.export import exported_bytes

SHAPE = (3, 4, 6)
LIBRARIES = {
    "safetensors": ["safetensors"],
    "onnx": ["onnx"],
    "torch": ["torch"],
    "sklearn": ["sklearn", "skops"],
}
SETTINGS = {
    "raw pixels": {"scale": "none", "center": False},
    "centered": {"scale": "none"},
    "standardized": {},
    "mirror-folded": {"mirror": True},
    "unit norm": {"scale": "unit-norm"},
    "mirror-folded with unit norm": {"scale": "unit-norm", "mirror": True},
}
# The stages that follow upon patch features.
PATCHES = {
    "standardized patches": {},
    "mirror-folded patches": {"mirror": True},
    "patches as they are": {"scale": "none", "center": False},
    "mirror-folded patches with unit norm": {"scale": "unit-norm", "mirror": True},
}
CONVOLVING = ["onnx", "torch"]
AMONG_REAL = [
    name if name == "mirror-folded patches" else pytest.param(name, marks=pytest.mark.slow)
    for name in PATCHES
]


def needed(form):
    for library in LIBRARIES.get(form, ()):
        module = pytest.importorskip(library, reason=f"{library} is not installed: pip install {library}")
    if form == "torch":
        module.set_num_threads(1)  # its threads wait for each other, long where others have the cores


def images(count=200, classes=3, seed=0):
    generator = np.random.default_rng(seed)
    y = np.arange(count) % classes
    X = generator.integers(0, 200, (count, 72)) + 50 * (np.arange(72) % classes == y[:, None])
    return X.astype(np.uint8), y


def model_of(settings, classes=3):
    X, y = images(classes=classes)
    names = ["frog", "bird", "ship"][:classes]
    return fit(X, y, class_names=names, image_shape=SHAPE, **{"regularization": 0.01, **settings})


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", SETTINGS)
def test_every_format_gives_the_scores_of_the_model(form, name):
    needed(form)
    model, (X, _) = model_of(SETTINGS[name]), images(50, seed=9)
    if (form, name) == ("sklearn", "mirror-folded with unit norm"):
        with pytest.raises(ConfigError, match="mirror folding with unit norm has no step in scikit-learn"):
            exported_bytes(model, form, "m")
        return
    content, apart = exported_bytes(model, form, "m")
    np.testing.assert_allclose(FORMATS.load(form).scores(content, X), model.scores(X), rtol=0, atol=1e-4)
    assert apart < 1e-4


@pytest.mark.parametrize("form", FORMATS)
def test_two_classes_are_exported_too(form):
    needed(form)
    model, (X, _) = model_of({}, classes=2), images(50, classes=2, seed=9)
    found = FORMATS.load(form).scores(exported_bytes(model, form, "m")[0], X)
    expected = model.scores(X)
    expected = np.diff(expected)[:, 0] if found.ndim == 1 else expected
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("form", FORMATS)
def test_equal_models_give_equal_bytes_where_the_library_lets_them(form):
    needed(form)
    if form == "sklearn":
        pytest.skip("skops writes the time into its zip")
    first, second = (exported_bytes(model_of({}), form, "m")[0] for _ in range(2))
    assert first == second


@pytest.mark.real
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.slow
def test_every_format_scores_a_thousand_raw_images_of_cifar_as_the_model_does(form, real_cifar):
    needed(form)
    from softmaxclf.datasets.sources import open_source

    dataset = open_source(str(real_cifar), real_cifar.parent)
    rows, test = dataset.train, dataset.test().X[:1000]
    for name, settings in SETTINGS.items():
        chosen = {"iterations": 100, "image_shape": (3, 32, 32), **settings}
        model = fit(rows.X[:2000], rows.y[:2000], **chosen)
        if (form, name) == ("sklearn", "mirror-folded with unit norm"):
            continue
        content, _ = exported_bytes(model, form, "m")
        apart = np.abs(FORMATS.load(form).scores(content, test) - model.scores(test)).max()
        assert apart < 1e-4, name


# Patch features


@pytest.fixture
def few_patches(monkeypatch):
    monkeypatch.setattr("softmaxclf.core.stages.patches.dictionary.PATCHES", 1000)


def patch_model(settings, shape=(3, 9, 8), classes=3, **features):
    """A model of patch features of images of that shape, and other images."""
    generator = np.random.default_rng(0)
    X, y = generator.integers(0, 256, (60, math.prod(shape))).astype(np.uint8), np.arange(60) % classes
    features = {"kind": "patches", "filters": 6, "patch": 3, "scales": [1, 2], **features}
    model = fit(X[:40], y[:40], image_shape=shape, features=features, **{"regularization": 0.1, **settings})
    return model, X[40:]


@pytest.mark.parametrize("form", CONVOLVING)
@pytest.mark.parametrize("name", PATCHES)
def test_a_convolution_gives_the_scores_of_a_model_of_patch_features(form, name, few_patches):
    needed(form)
    model, X = patch_model(PATCHES[name])
    content, apart = exported_bytes(model, form, "m")
    found = FORMATS.load(form).scores(content, X)
    np.testing.assert_allclose(found, model.scores(X), rtol=0, atol=1e-5)
    assert apart < 1e-5 and np.ptp(found, axis=0).min() > 1e-3


@pytest.mark.parametrize("form", CONVOLVING)
@pytest.mark.parametrize(
    ("shape", "features"),
    [
        ((1, 13, 17), {"scales": [1, 3], "patch": 4}),
        ((3, 10, 14), {"scales": [2], "filters": 2, "pooling": 3}),
        ((2, 7, 7), {"scales": [1], "pooling": 1, "patch": 2, "threshold": 0}),
        ((3, 8, 8), {"scales": [1, 2], "filters": [2, 4], "contrast": 1}),
    ],
)
def test_odd_sides_other_scales_and_little_contrast_do_not_move_the_scores(
    form, shape, features, few_patches
):
    needed(form)
    model, X = patch_model({"mirror": True}, shape, **features)
    X[:5] = 200 + X[:5] % 2  # nearly flat, of which the squares have lost their digits in float32
    content, _ = exported_bytes(model, form, "m")
    np.testing.assert_allclose(FORMATS.load(form).scores(content, X), model.scores(X), rtol=0, atol=1e-4)


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in CONVOLVING])
def test_what_holds_matrices_alone_refuses_patch_features_and_names_what_does_not(form, few_patches):
    model, _ = patch_model({})
    with pytest.raises(
        ConfigError,
        match=f"m: --format {form} cannot hold it: patch features take a convolution; choose onnx or torch$",
    ):
        exported_bytes(model, form, "m")


@pytest.mark.parametrize("name", PATCHES)
def test_onnxruntime_computes_patch_features_from_raw_rows(name, few_patches):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    model, X = patch_model(PATCHES[name])
    content = exported_bytes(model, "onnx", "m")[0]
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    session = runtime.InferenceSession(content)
    assert session.get_inputs()[0].shape == ["N", X.shape[1]]
    for rows in (X, X[:1]):
        scores, shares = session.run(["scores", "probabilities"], {"rows": rows.astype(np.float32)})
        np.testing.assert_allclose(scores, model.scores(rows), atol=1e-5)
        np.testing.assert_allclose(shares, model.predict_proba(rows), atol=1e-5)


@pytest.mark.parametrize("name", ["mirror-folded patches with unit norm", "patches as they are"])
def test_the_code_in_a_torch_file_makes_its_scores_where_we_are_not_installed(name, few_patches, tmp_path):
    needed("torch")
    model, X = patch_model(PATCHES[name])
    (tmp_path / "m.pt").write_bytes(exported_bytes(model, "torch", "m")[0])
    np.savez(tmp_path / "rows.npz", X=X.astype(np.float32), scores=model.scores(X))
    script = """
import sys
sys.modules["softmaxclf"] = None
import numpy, torch
file = torch.load("m.pt", weights_only=True)
saved = numpy.load("rows.npz")
known, rows = {}, torch.from_numpy(saved["X"]).requires_grad_()
exec(file["code"], known)
scores = known["scores"](file, rows)
scores[:, 0].sum().backward()
assert torch.isfinite(rows.grad).all() and rows.grad.abs().max() > 0
print(numpy.abs(scores.detach().numpy() - saved["scores"]).max())
"""
    result = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert float(result.stdout) < 1e-5


@pytest.mark.real
@pytest.mark.parametrize("form", CONVOLVING)
@pytest.mark.parametrize("name", AMONG_REAL)
@pytest.mark.slow
def test_a_thousand_raw_images_of_cifar_have_the_scores_of_the_model_of_their_patches(form, name, real_cifar):
    needed(form)
    from softmaxclf.datasets.sources import open_source

    dataset = open_source(str(real_cifar), real_cifar.parent)
    rows, test = dataset.train, dataset.test().X[:1000]
    features = {"kind": "patches", "filters": [16, 24], "whitening": 0.15}
    chosen = {"regularization": 0.01, "image_shape": (3, 32, 32), **PATCHES[name]}
    model = fit(rows.X[:500], rows.y[:500], features=features, **chosen)
    content, _ = exported_bytes(model, form, "m")
    assert np.abs(FORMATS.load(form).scores(content, test) - model.scores(test)).max() < 1e-4


# Each file as its reader opens it, without anything of ours.


@pytest.fixture(scope="module")
def model():
    return model_of(SETTINGS["unit norm"])


def facts_are_those_of(facts, model):
    assert facts["class_names"] == ["frog", "bird", "ship"] and facts["image_shape"] == list(SHAPE)
    assert facts["provenance"]["config"]["preprocessing"]["scale"] == "unit-norm"
    assert facts["formula"].startswith("x = x - center; x = x / |x|")


def by_hand(arrays, X):
    x = X - arrays["center"]
    return x / np.linalg.norm(x, axis=1, keepdims=True) @ arrays["W"] + arrays["b"]


def test_numpy_opens_the_arrays(model):
    X = images(20)[0]
    with np.load(io.BytesIO(exported_bytes(model, "npz", "m")[0]), allow_pickle=False) as file:
        np.testing.assert_allclose(by_hand(file, X), model.scores(X), atol=1e-4)
        facts_are_those_of(json.loads(str(file["facts"])), model)


def test_json_holds_the_shortest_numbers(model):
    X = images(20)[0]
    content = exported_bytes(model, "json", "m")[0]
    document = json.loads(content)
    np.testing.assert_allclose(by_hand({k: np.array(document[k]) for k in ("W", "b", "center")}, X), model.scores(X),
                               atol=1e-4)  # fmt: skip
    assert len(content) < 12_000
    facts_are_those_of(document, model)


def test_safetensors_opens_the_arrays_and_the_facts(model, tmp_path):
    safetensors = pytest.importorskip("safetensors", reason="safetensors is not installed")
    (tmp_path / "m.safetensors").write_bytes(exported_bytes(model, "safetensors", "m")[0])
    X = images(20)[0]
    with safetensors.safe_open(tmp_path / "m.safetensors", "numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        facts_are_those_of(json.loads(file.metadata()["facts"]), model)
    np.testing.assert_allclose(by_hand(arrays, X), model.scores(X), atol=1e-4)


@pytest.mark.parametrize("name", SETTINGS)
def test_onnxruntime_runs_the_graph_that_the_checker_accepts(name):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    model, X = model_of(SETTINGS[name]), images(20)[0]
    content = exported_bytes(model, "onnx", "m")[0]
    loaded = onnx.load_from_string(content)
    onnx.checker.check_model(loaded, full_check=True)
    session = runtime.InferenceSession(content)
    scores, shares = session.run(["scores", "probabilities"], {"rows": X.astype(np.float32)})
    np.testing.assert_allclose(scores, model.scores(X), atol=1e-4)
    np.testing.assert_allclose(shares, model.predict_proba(X), atol=1e-4)
    facts = json.loads({each.key: each.value for each in loaded.metadata_props}["facts"])
    assert facts["class_names"] == ["frog", "bird", "ship"]


def test_the_graph_leaves_a_row_of_zeros_at_the_bias():
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    model = model_of({"scale": "unit-norm", "center": False})
    session = runtime.InferenceSession(exported_bytes(model, "onnx", "m")[0])
    found = session.run(["scores"], {"rows": np.zeros((1, 72), np.float32)})[0]
    np.testing.assert_allclose(found[0], model.b, atol=1e-6)


def test_torch_opens_the_state_of_a_linear_layer_without_pickle():
    torch = pytest.importorskip(
        "torch", reason="torch is not installed, which is too large for the tests' extra"
    )
    model, X = model_of({}), images(20)[0]
    file = torch.load(io.BytesIO(exported_bytes(model, "torch", "m")[0]), weights_only=True)
    layer = torch.nn.Linear(72, 3)
    layer.load_state_dict(file["state_dict"])
    with torch.no_grad():
        found = layer(torch.tensor(X.astype(np.float32))).numpy()
    np.testing.assert_allclose(found, model.scores(X), atol=1e-4)
    assert json.loads(file["facts"])["class_names"] == ["frog", "bird", "ship"]


@pytest.mark.parametrize("name", ["standardized", "unit norm"])
def test_scikit_learn_predicts_with_a_file_of_known_types(name):
    skops = pytest.importorskip("skops.io", reason="skops is not installed")
    model, X = model_of(SETTINGS[name]), images(20)[0]
    content = exported_bytes(model, "sklearn", "m")[0]
    assert skops.get_untrusted_types(data=content) == []
    estimator = skops.loads(content, trusted=[])
    np.testing.assert_allclose(estimator.predict_proba(X), model.predict_proba(X), atol=1e-4)
    assert estimator.predict(X).tolist() == [model.class_names[k] for k in model.predict(X)]
    assert json.loads(estimator.softmaxclf_)["class_names"] == ["frog", "bird", "ship"]
