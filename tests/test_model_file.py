"""A model that is saved, loaded and scored is the same model, bit for bit."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from softmaxclf import model_file
from softmaxclf.core.model import LinearModel
from softmaxclf.core.stages.mirror import Mirror
from softmaxclf.core.stages.stage import Preprocessing
from softmaxclf.errors import ModelError, OutputError

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def numbers(dtype: Any, shape: int | tuple[int, ...], low: float = -100, high: float = 100) -> Any:
    width = 32 if dtype == np.float32 else 64
    return arrays.arrays(dtype, shape, elements=st.floats(low, high, width=width))


@st.composite
def models(draw: st.DrawFn) -> LinearModel:
    """A model of any kind: images or none, folded or not, each part of the preprocessing there or not."""
    shape = draw(st.none() | st.tuples(st.sampled_from((1, 2, 3)), st.integers(1, 3), st.integers(1, 5)))
    mirror = shape if shape is not None and draw(st.booleans()) else None
    width = shape and (shape[2] + 1) // 2 if mirror else shape and shape[2]
    columns = shape[0] * shape[1] * width if shape else draw(st.integers(1, 8))
    classes = draw(st.integers(2, 5))
    scale = draw(st.sampled_from(["none", "one", "each"]))
    preprocessing = Preprocessing(
        draw(st.none() | numbers(np.float64, columns)),
        None if scale == "none" else draw(numbers(np.float64, 1 if scale == "one" else columns, 0.015625)),
        draw(st.booleans()),
        () if mirror is None else (Mirror(mirror),),
    )
    return LinearModel(
        draw(numbers(np.float32, (columns, classes))),
        draw(numbers(np.float32, classes)),
        tuple(draw(st.lists(NAMES, min_size=classes, max_size=classes, unique=True))),
        preprocessing,
        shape,
        draw(st.sampled_from(["softmax", "hinge"])),
        draw(st.floats(1e-3, 1e3)),
        draw(st.dictionaries(st.text(max_size=5), JSON, max_size=3)),
        draw(st.none() | st.just(tuple(f"column {k}" for k in range(preprocessing.width(columns))))),
    )


def small(**changes: Any) -> LinearModel:
    W = np.arange(6, dtype=np.float32).reshape(3, 2)
    return replace(LinearModel(W, np.float32([1, -1]), ("a", "b")), **changes)


def assert_equal(one: LinearModel, other: LinearModel) -> None:
    for part in ("W", "b"):
        assert getattr(one, part).dtype == getattr(other, part).dtype == np.float32
        assert getattr(one, part).tobytes() == getattr(other, part).tobytes()
    for part in ("offset", "scale"):
        np.testing.assert_array_equal(getattr(one.preprocessing, part), getattr(other.preprocessing, part))
    for part in ("unit_norm", "reading"):
        assert getattr(one.preprocessing, part) == getattr(other.preprocessing, part)
    for part in ("class_names", "image_shape", "loss", "temperature", "provenance"):
        assert getattr(one, part) == getattr(other, part)


@settings(max_examples=150)
@given(models(), st.sampled_from([np.uint8, np.float32]), st.integers(0, 2**32 - 1))
def test_a_model_that_is_saved_and_loaded_scores_the_same_bits(
    tmp_path_factory: pytest.TempPathFactory, model: LinearModel, dtype: type, seed: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip.npz"
    model_file.save_model(path, model)
    loaded = model_file.load_model(path)
    assert_equal(loaded, model)
    X = np.random.default_rng(seed).integers(0, 256, (3, model.features)).astype(dtype)
    assert loaded.scores(X).tobytes() == model.scores(X).tobytes()
    assert loaded.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    assert loaded.pixel_weights().tobytes() == model.pixel_weights().tobytes()


@settings(max_examples=50)
@given(models())
def test_equal_models_give_equal_bytes_and_a_loaded_model_is_written_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, model: LinearModel
) -> None:
    content = model_file.model_bytes(model)
    copied = replace(
        model, W=np.asfortranarray(model.W.copy()), provenance=dict(reversed(model.provenance.items()))
    )
    assert model_file.model_bytes(copied) == content
    path = tmp_path_factory.getbasetemp() / "again.npz"
    path.write_bytes(content)
    assert model_file.model_bytes(model_file.load_model(path)) == content


@settings(max_examples=50)
@given(models(), st.data())
def test_models_that_differ_in_one_weight_differ_in_bytes(model: LinearModel, data: st.DataObject) -> None:
    W = model.W.copy()
    place = data.draw(st.integers(0, W.size - 1))
    W.reshape(-1)[place] += np.float32(1)
    assert model_file.model_bytes(replace(model, W=W)) != model_file.model_bytes(model)


@pytest.mark.parametrize("mirror", [(3, 2, 4), (1, 2, 5)], ids=["even width", "odd width"])
def test_a_mirror_folded_model_keeps_its_folding(tmp_path: Path, mirror: tuple[int, int, int]) -> None:
    columns = mirror[0] * mirror[1] * ((mirror[2] + 1) // 2)
    W = np.random.default_rng(0).normal(size=(columns, 2)).astype(np.float32)
    preprocessing = Preprocessing(np.ones(columns), Mirror(mirror).scale, False, (Mirror(mirror),))
    model_file.save_model(tmp_path / "m.npz", small(W=W, preprocessing=preprocessing, image_shape=mirror))
    loaded = model_file.load_model(tmp_path / "m.npz")
    assert loaded.features == mirror[0] * mirror[1] * mirror[2]
    X = np.random.default_rng(1).integers(0, 256, (4, loaded.features), dtype=np.uint8)
    flipped = X.reshape(4, *mirror)[..., ::-1].reshape(4, -1)
    np.testing.assert_array_equal(loaded.scores(X), loaded.scores(flipped))


def test_the_file_is_what_numpy_reads_without_pickle(tmp_path: Path) -> None:
    model_file.save_model(tmp_path / "weights.npz", small(provenance={"seed": 3}))
    with np.load(tmp_path / "weights.npz", allow_pickle=False) as file:
        assert set(file.files) == {*model_file.KEYS, "checksum"}
        np.testing.assert_array_equal(file["W"], small().W)
        assert file["class_names"].tolist() == ["a", "b"]
        assert json.loads(str(file["provenance"])) == {"seed": 3}
        for key, (kind, *_) in model_file.FORMS.items():
            assert file[key].dtype.str[1:] == kind or file[key].dtype.kind == kind, key


@pytest.mark.parametrize(
    "change",
    [
        lambda file: {key: np.asfortranarray(array) if array.ndim else array for key, array in file.items()},
        lambda file: {key: array.astype(array.dtype.newbyteorder(">")) for key, array in file.items()},
        lambda file: dict(reversed(file.items())),
    ],
    ids=["Fortran order", "big-endian", "another order of the arrays"],
)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed], ids=["stored", "deflated"])
def test_what_is_merely_unusual_is_the_same_model(tmp_path: Path, change: Any, save: Any) -> None:
    path = tmp_path / "weights.npz"
    model = small(preprocessing=Preprocessing(np.ones(3), np.full(3, 2.0)))
    model_file.save_model(path, model)
    with np.load(path, allow_pickle=False) as file:
        arrays_of_file = {key: file[key] for key in file.files}
    save(path, **change(arrays_of_file))
    assert_equal(model_file.load_model(path), model)


def test_a_run_folder_stands_for_its_weights(tmp_path: Path) -> None:
    model_file.save_model(tmp_path / "weights.npz", small())
    assert_equal(model_file.load_model(tmp_path), small())
    assert_equal(model_file.load_model(str(tmp_path)), small())


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda path: None,
            "expected a run folder or a weights.npz, found no such file or folder; check the path",
        ),
        (
            lambda path: path.mkdir(),
            "expected a run folder with weights.npz, found none; finish its run first",
        ),
        (lambda path: (path / "weights.npz").mkdir(parents=True), "a folder, pipe or device"),
        (lambda path: os.mkfifo(path), "a folder, pipe or device"),
        (lambda path: path.write_bytes(b""), "expected an .npz or .npy file, found other bytes"),
        (lambda path: path.symlink_to(path.name), "; check the path"),
        (lambda path: path.symlink_to("/dev/zero"), "a folder, pipe or device"),
    ],
    ids=[
        "nothing",
        "an empty folder",
        "a folder as weights",
        "a pipe",
        "no bytes",
        "a loop of links",
        "a device",
    ],
)
def test_what_is_no_file_is_refused(tmp_path: Path, make: Any, said: str) -> None:
    path = tmp_path / "model"
    make(path)
    with pytest.raises(ModelError) as caught:
        model_file.load_model(path)
    assert said in str(caught.value) and str(path) in str(caught.value)


def test_a_name_that_no_system_takes_is_refused() -> None:
    for name in ("a\0b", "x" * 5000, "~nobody-of-this-name/run"):
        with pytest.raises(ModelError):
            model_file.load_model(name)


def test_saving_over_an_older_model_leaves_the_older_one_when_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights.npz"
    model_file.save_model(path, small())

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="No space left on device"):
        model_file.save_model(path, small(temperature=2.0))
    assert_equal(model_file.load_model(path), small())
    assert [entry.name for entry in tmp_path.iterdir()] == ["weights.npz"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stage.patches.G0", np.zeros((28, 2), np.float64)),
        ("stage.patches.G0", np.zeros((10**6, 2), np.float32)),
        ("stage.patches.pooling", np.array(2**40)),
        ("stage.patches.factors", np.array([1, 2**40])),
        ("stage.patches.patch", np.array(2)),
        ("image_shape", np.array([3, 2**20, 2**20])),
        ("W", np.zeros((15, 2), np.float32)),
    ],
)
def test_a_model_of_patch_features_with_sizes_that_cannot_be_is_refused(tmp_path, monkeypatch, name, value):
    from softmaxclf import fit
    from softmaxclf.model_file import _checksum, load_model, save_model

    monkeypatch.setattr("softmaxclf.core.stages.patches.dictionary.PATCHES", 500)
    X = np.random.default_rng(0).integers(0, 256, (40, 12, 12, 3)).astype(np.uint8)
    wanted = {"kind": "patches", "filters": 4, "patch": 3, "scales": [1], "pooling": 2}
    model = fit(X, np.arange(40) % 2, features=wanted, regularization=1.0)
    save_model(tmp_path / "weights.npz", model)
    assert load_model(tmp_path / "weights.npz").digest == model.digest
    with np.load(tmp_path / "weights.npz") as file:
        content = {key: file[key] for key in file.files if key != "checksum"}
    content[name] = value
    np.savez(tmp_path / "poisoned.npz", **content, checksum=np.array(_checksum(content)))
    with pytest.raises(ModelError, match=r"poisoned\.npz: expected"):
        load_model(tmp_path / "poisoned.npz")
