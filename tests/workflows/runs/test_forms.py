"""One data set in every form that people have it in gives one accuracy: scikit-learn's digits."""

import csv
import json
import struct

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

pytestmark = pytest.mark.usefixtures("no_pictures")
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def parts():
    """Rows (n, 64) uint8 and labels of train and test, class by class in the order of the class names' folders."""
    X, y = load_digits(return_X_y=True)
    X, order = (15 * X).astype(np.uint8), np.random.default_rng(0).permutation(len(y))
    ranks = np.argsort(np.argsort(NAMES))
    cut = {"train": order[:1400], "test": order[1400:]}
    return {part: (rows := sorted(where, key=lambda n: (ranks[y[n]], n))) and (X[rows], y[rows])
            for part, where in cut.items()}  # fmt: skip


def as_npz(folder, data):
    arrays = {f"X_{part}": X for part, (X, _) in data.items()}
    labels = {f"y_{part}": np.array(NAMES)[y] for part, (_, y) in data.items()}
    np.savez(folder / "digits.npz", **arrays, **labels)
    return folder / "digits.npz"


def as_folders(folder, data):
    for part, (X, y) in data.items():
        for place, (row, label) in enumerate(zip(X, y, strict=True)):
            home = folder / "digits" / part / NAMES[label]
            home.mkdir(parents=True, exist_ok=True)
            Image.fromarray(row.reshape(8, 8)).save(home / f"{place:04}.png")
    return folder / "digits"


def as_idx(folder, data):
    for part, (X, y) in data.items():
        stem = {"train": "train", "test": "t10k"}[part]
        images = struct.pack(">4i", 0x803, len(X), 8, 8) + X.tobytes()
        (folder / f"{stem}-images-idx3-ubyte").write_bytes(images)
        (folder / f"{stem}-labels-idx1-ubyte").write_bytes(
            struct.pack(">2i", 0x801, len(y)) + y.astype(np.uint8).tobytes()
        )
    return folder


def as_csv(folder, data):
    for part, (X, y) in data.items():
        with (folder / f"{part}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*(f"pixel {n}" for n in range(64)), "label"])
            writer.writerows([*row, NAMES[label]] for row, label in zip(X.tolist(), y, strict=True))
    return folder


def as_parquet(folder, data):
    import pyarrow as pa
    from pyarrow import parquet

    for part, (X, y) in data.items():
        columns = {f"pixel {n}": X[:, n] for n in range(64)} | {"class": [NAMES[label] for label in y]}
        parquet.write_table(pa.table(columns), folder / f"{part}.parquet")
    return folder


def test_digits_in_five_forms_have_one_accuracy(run_cli, tmp_path):
    data, found = parts(), {}
    for write in (as_npz, as_folders, as_idx, as_csv, as_parquet):
        home = tmp_path / write.__name__
        home.mkdir()
        arguments = ["--data", write(home, data), "--out", home / "run", "--regularization", "1e-3", "--test"]
        images = ["--set", "data.image_size=8", "--set", "data.color=grey", "--set", "data.validation=0"]
        result = run_cli("train", *arguments, *images, "--json")
        assert result.exit_code == 0, result.stderr
        test = json.loads(result.stdout)["splits"]["test"]
        found[write.__name__] = test["correct"], round(test["loss"], 4)
    assert len(set(found.values())) == 1, found
    assert found["as_npz"][0] >= 0.95 * 397
