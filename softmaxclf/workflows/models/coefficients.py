"""`coefficients.csv`: the weights of all cells of a path of regularizations, where the features are few."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from softmaxclf.core.search import STRENGTH, Outcome, only_axis
from softmaxclf.errors import DataError
from softmaxclf.runs import COEFFICIENTS, OutputFolder, read_table


def write_coefficients(folder: OutputFolder, cells: Sequence[Outcome]) -> None:
    """Write a line per regularization and class, a column per feature; nothing where no cell has weights."""
    if only_axis(cells) != STRENGTH:
        return
    lines = [
        [cell.values[STRENGTH], k, *column]
        for cell in cells
        if cell.weights is not None
        for k, column in enumerate(cell.weights.T.tolist())
    ]
    if lines:
        folder.write_table(COEFFICIENTS, _columns(len(lines[0]) - 2), lines)


def with_coefficients(path: Path, cells: Sequence[Outcome], features: int) -> list[Outcome]:
    """The cells of the run folder `path` with the weights that its coefficients.csv holds, if it has one.

    Raises DataError.
    """
    if not cells or not (path / COEFFICIENTS).exists():
        return list(cells)
    table = read_table(path / COEFFICIENTS, _columns(features))
    found = [table[table[:, 0] == cell.values.get(STRENGTH), 2:].T for cell in cells]
    if len({weights.shape for weights in found if weights.size}) != 1:
        raise DataError(
            f"{path / COEFFICIENTS}: expected as many classes at each regularization, found others; "
            "run the command again to make it"
        )
    return [replace(c, weights=w if w.size else None) for c, w in zip(cells, found, strict=True)]


def _columns(features: int) -> list[str]:
    return [STRENGTH, "class", *(f"feature {feature}" for feature in range(features))]
