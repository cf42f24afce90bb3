"""Two models judged on the same rows: their difference, its interval and test, and what another seed gives."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from softmaxclf.core.metrics import mcnemar_p_value, paired_interval
from softmaxclf.core.model import LinearModel
from softmaxclf.core.repeats import told_apart
from softmaxclf.core.scoring import Score
from softmaxclf.files import exists
from softmaxclf.model_file import FILE_NAME, model_path
from softmaxclf.runs import METRICS, read_metrics
from softmaxclf.workflows.models.model_settings import SEEDS, asked_of, settings_of

PAIR_COLUMNS = (
    *("first", "second", "rows", "only_first_right", "only_second_right", "p_value"),
    *("difference", "least_difference", "noise", "rows_difference", "interval", "conclusion"),
)
# What is known of a difference beside what another seed gives: `noise` of a pair.
SAME, ONLY_SEEDS, BEYOND, WITHIN, UNKNOWN = (
    "nothing differs",
    "only seeds differ",
    "beyond",
    "within",
    "unknown",
)
SEEDS_TOLD = {
    BEYOND: ", beyond what a change of seed gives",
    WITHIN: ", within what a change of seed gives",
    ONLY_SEEDS: "; they differ in seeds alone, so that is the noise of training",
    UNKNOWN: "; what a change of seed gives is not known",
}
NOT_COMPARABLE = "Softmax and hinge losses are different quantities: compare accuracies"


@dataclass(frozen=True)
class Contender:
    """One of the models."""

    name: str
    path: Path
    model: LinearModel

    @property
    def folder(self) -> Path | None:
        """Its run's, or None for a weights file that stands alone."""
        file = model_path(self.path)
        return file.parent if file.name == FILE_NAME and exists(file.parent / METRICS) else None

    @cached_property
    def asked(self) -> dict[str, str]:
        """What it was made by but for seeds."""
        return asked_of(self.model)

    @cached_property
    def seeds(self) -> tuple[str | None, ...]:
        """The seeds, None of one that it does not heed."""
        settings = settings_of(self.model)
        return tuple(settings.get(key) for key in SEEDS)


def seeded_accuracies(
    contenders: Sequence[Contender], scores: Sequence[Score], split: str, own_data: bool
) -> list[list[float]]:
    """Per model the accuracies on the split that its settings have with various seeds, at least its own.

    Those of a run's repeats are of its own data.
    """
    found = []
    for own in contenders:
        alike = [place for place, other in enumerate(contenders) if other.asked == own.asked]
        given = {contenders[place].seeds: scores[place].accuracy for place in alike}
        recorded = [_repeats(contenders[place], split) for place in alike] if own_data else []
        found.append(max([list(given.values()), *recorded], key=len))
    return found


def _repeats(contender: Contender, split: str) -> list[float]:
    """The accuracies on that split of the repeats of its run; none of a run without."""
    if contender.folder is None:
        return []
    recorded = read_metrics(contender.folder).get("repeats", {})
    return list(recorded.get(split, {}).get("accuracies", ()))


def judged_pairs(
    contenders: Sequence[Contender], scores: Sequence[Score], seeded: Sequence[list[float]]
) -> list[dict[str, Any]]:
    """Every two models on the same rows, as --json prints them: PAIR_COLUMNS."""
    every = list(zip(contenders, scores, seeded, strict=True))
    return [_judged(first, second) for first, second in combinations(every, 2)]


Judged = tuple[Contender, Score, list[float]]


def _judged(first: Judged, second: Judged) -> dict[str, Any]:
    one, other = first[1].correct, second[1].correct
    counts = [
        int(np.count_nonzero(each)) for each in (one & other, one & ~other, other & ~one, ~(one | other))
    ]
    _, only_first, only_second, _ = counts
    difference, least, noise = _noise(first, second)
    pair = {
        "first": first[0].name,
        "second": second[0].name,
        "rows": len(one),
        "only_first_right": only_first,
        "only_second_right": only_second,
        "p_value": mcnemar_p_value(only_first, only_second),
        "difference": difference,
        "least_difference": None if math.isnan(least) else least,
        "noise": noise,
        "rows_difference": (only_first - only_second) / len(one),
        "interval": list(paired_interval(*counts)),
    }
    return {**pair, "conclusion": conclusion(pair)}


def _noise(first: Judged, second: Judged) -> tuple[float, float, str]:
    """(difference of the mean accuracies over seeds, the least that is more than these give, what that says)."""
    (one, own, seeds), (other, others, other_seeds) = first, second
    if one.asked == other.asked:
        return own.accuracy - others.accuracy, math.nan, SAME if one.seeds == other.seeds else ONLY_SEEDS
    difference, least = told_apart(seeds, other_seeds)
    if math.isnan(least):
        return difference, least, UNKNOWN
    return difference, least, BEYOND if abs(difference) > least else WITHIN


def conclusion(pair: Mapping[str, Any]) -> str:
    """What to take from a pair, in one sentence: who is better, by how many points, and whether a seed may do that."""
    sign = -1 if pair["rows_difference"] < 0 else 1
    better, other = (pair["first"], pair["second"])[::sign]
    points = f"{_points(sign * pair['rows_difference'])} points better"
    low, high = sorted(sign * bound for bound in pair["interval"])
    interval = f"({_points(low)} to {_points(high)})"
    if pair["noise"] == SAME:
        return f"{better} and {other} were made alike: {better} is {points} {interval}"
    if low > 0:
        told = f"{better} is {points} than {other} {interval}"
    else:
        told = f"These rows cannot tell {better} from {other}: {better} is {points} {interval}"
    if pair["noise"] == BEYOND and sign * pair["difference"] < 0:
        return f"{told}, but over several seeds {other} is {_points(abs(pair['difference']))} points better"
    return told + SEEDS_TOLD[pair["noise"]]


def _points(share: float) -> str:
    return f"{100 * share + 0.0:.1f}"


def foremost(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Of a comparison the pairs of its most accurate model, which the conclusion is about."""
    split = result["split"]
    best = max(result["models"], key=lambda model: model["splits"][split]["accuracy"])["name"]
    return [pair for pair in result["pairs"] if best in (pair["first"], pair["second"])]


def reservations(result: Mapping[str, Any]) -> list[str]:
    """What to know before the figures of a comparison are believed."""
    tests, noise = len(result["pairs"]), {pair["noise"] for pair in result["pairs"]}
    told = [NOT_COMPARABLE] if len(set(result["losses"])) > 1 else []
    if noise & {BEYOND, WITHIN}:
        told.append(
            "Means are over the seeds that are known of a setting: by its run's repeats, or other models here"
        )
    if tests > 1:
        told.append(f"The p-values are not corrected for making {tests} tests")
    if ONLY_SEEDS in noise:
        told.append("Models that differ only in seeds are equally good settings, whatever p says")
    if UNKNOWN in noise:
        told.append(
            "Another seed makes a difference too, of which p knows nothing: tune --repeats 5 measures it"
        )
    return told
