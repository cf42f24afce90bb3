"""Which labels stay as they are, which become class names, and what is refused."""

from typing import Any

import numpy as np
import pytest

from softmaxclf import fit
from softmaxclf.datasets import labels
from softmaxclf.datasets.labels import Classes, Coder, StoredLabels
from softmaxclf.errors import DataError


def read(train: Any, given: list[str] | None = None) -> tuple[tuple[str, ...], list[int]]:
    """Names and numbers of training labels."""
    stored = StoredLabels.of(np.array(train), "file", "y_train")
    classes = Classes.of(stored, given)
    return classes.names, classes.labels(stored, len(train)).tolist()


@pytest.mark.parametrize(
    ("train", "names", "numbers"),
    [
        ([0, 2, 1], ("0", "1", "2"), [0, 2, 1]),
        ([0, 3, 0], ("0", "1", "2", "3"), [0, 3, 0]),
        ([3, 1, 2], ("1", "2", "3"), [2, 0, 1]),
        ([-1, 1, -1], ("-1", "1"), [0, 1, 0]),
        ([0, 5000, 0], ("0", "5000"), [0, 1, 0]),
        (["b", "a", "B"], ("B", "a", "b"), [2, 1, 0]),
        (["10", "9", "9"], ("9", "10"), [1, 0, 0]),
        (["0", "2", "0"], ("0", "1", "2"), [0, 2, 0]),
        (["0.0", "2.0", "1"], ("0", "1", "2"), [0, 2, 1]),
        (["3.0", "-1.", "3"], ("-1", "3"), [1, 0, 1]),
        (["1.0", "1", "x"], ("1", "1.0", "x"), [1, 0, 2]),
        (["01", "1", "x"], ("01", "1", "x"), [0, 1, 2]),
        ([True, False, True], ("False", "True"), [1, 0, 1]),
        ([2**63 + 1, 2**63], ("9223372036854775808", "9223372036854775809"), [1, 0]),
    ],
)
def test_labels_become_classes(train: Any, names: tuple[str, ...], numbers: list[int]) -> None:
    assert read(train) == (names, numbers)


@pytest.mark.parametrize(
    ("train", "numbers"),
    [([1, 0, 2], [1, 0, 2]), (["cat", "emu", "cat"], [0, 2, 0]), (["1", "0", "1"], [1, 0, 1])],
)
def test_names_that_are_given_stay(train: Any, numbers: list[int]) -> None:
    assert read(train, ["cat", "dog", "emu"]) == (("cat", "dog", "emu"), numbers)


@pytest.mark.parametrize(
    ("train", "given", "said"),
    [
        ([1, 1], None, "expected at least 2 classes in y_train, found 1"),
        (["0.5", "1"], None, "y_train: expected classes, found numbers such as '0.5'"),
        (["1.0", "2.5"], None, "expected classes, found numbers such as '2.5'"),
        ([3, 0], ["a", "b"], "expected y_train from 0 to 1, found 3 in row 0"),
        (["a", "x"], ["a", "b"], "expected y_train among the class names, found 'x' in row 1"),
        (["a", "b\n"], None, "printable"),
    ],
)
def test_labels_that_are_none_are_refused(train: Any, given: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(train, given)


def test_a_label_that_training_lacks_is_named() -> None:
    classes = Classes.of(StoredLabels.of(np.array(["a", "b"]), "file", "y_train"))
    with pytest.raises(
        DataError, match="expected y_test among the 2 of the training rows, found 'c' in row 1"
    ):
        classes.labels(StoredLabels.of(np.array(["b", "c"]), "file", "y_test"), 2)


def test_text_and_integers_follow_one_rule() -> None:
    classes = Classes.of(StoredLabels.of(np.array([5, 7]), "file", "y_train"))
    assert classes.labels(StoredLabels.of(np.array(["7", "5"]), "file", "y_test"), 2).tolist() == [1, 0]


def test_more_labels_than_classes_can_be_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "MAX_CLASSES", 3)
    with pytest.raises(DataError, match="file: expected at most 3 classes, found more"):
        Coder("file").codes("abcd")
    with pytest.raises(DataError, match="at most 3 classes"):
        read([10, 20, 30, 40])


def test_fit_takes_labels_of_any_kind() -> None:
    X = np.eye(4, dtype=np.float32)
    model = fit(X, ["oak", "elm", "oak", "elm"])
    assert model.class_names == ("elm", "oak") and model.predict(X).tolist() == [1, 0, 1, 0]
    assert fit(X, [7, 3, 7, 3]).class_names == ("3", "7")
    with pytest.raises(ValueError, match="labels of integers or text"):
        fit(X, [0.0, 1.0, 0.0, 1.0])
