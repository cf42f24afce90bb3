"""Whether a run has learned something, and what to try where it has not."""

from collections.abc import Iterator, Mapping, Sequence

from softmaxclf.config import Config
from softmaxclf.core.metrics import majority_baseline
from softmaxclf.core.model import LinearModel
from softmaxclf.core.numbers import short
from softmaxclf.core.scoring import Score
from softmaxclf.core.search import Outcome, named
from softmaxclf.core.solvers import OPTIMAL
from softmaxclf.workflows.runs.automatic import better
from softmaxclf.workflows.runs.training_data import TrainingData

RATE = "learning_rate"
HARDLY = 0.95  # of the loss of equal scores: what a model that learned is below
MIDWAY = 0.5  # of it: below, cells may be alike because all have arrived
ALIKE = 0.01  # of it: how far the losses of cells that are alike lie apart


def doubts(
    model: LinearModel,
    splits: Mapping[str, Score],
    data: TrainingData,
    config: Config,
    values: Mapping[str, float],
    cells: Sequence[Outcome] = (),
) -> list[str]:
    """A warning where a finished run shows no sign of learning, with what to try; else nothing.

    values: the settings of the model; cells: the grid that they were chosen from.
    """
    start = model.loss_function.at_zero(model.classes)
    signs = [*_near_the_start(splits["train"].loss, start), *_like_the_majority(model, splits, data)]
    if RATE in values and splits["train"].loss > MIDWAY * start:
        signs += _alike(cells, values, start)
    if not signs:
        return []
    remedy = "perhaps the features tell little about the classes"
    if found := better(config, data, values):
        unsuited = named({name: values[name] for name in found})
        remedy = f"these rows need other values than {unsuited}: try {named(found)}"
    elif RATE in values:
        remedy = f"try more iterations; {remedy}"
    if RATE in values:
        remedy += f" (solver {OPTIMAL[0]} needs no learning rate)"
    return [f"the model has hardly learned: {'; '.join(signs)}; {remedy}"]


def _near_the_start(loss: float, start: float) -> Iterator[str]:
    if loss > HARDLY * start:
        yield f"its training loss is {short(loss, 4)}, and {short(start, 4)} where all scores are equal"


def _like_the_majority(model: LinearModel, splits: Mapping[str, Score], data: TrainingData) -> Iterator[str]:
    """Of the rows that had least say in what was chosen."""
    name = next(name for name in ("test", "validation", "train") if name in splits)
    summary, truth = splits[name].summary(), splits[name].truth
    label, right = majority_baseline(data.dataset.train.y[data.train_rows], truth)
    share, low = right / len(truth), summary["interval"][0]
    if low <= share < 1:
        yield (
            f"its {name} accuracy of {100 * summary['accuracy']:.1f} % (95 % interval from {100 * low:.1f} %) is not "
            f"clearly above {100 * share:.1f} %, that of always saying {model.class_names[label]}"
        )


def _alike(cells: Sequence[Outcome], values: Mapping[str, float], start: float) -> Iterator[str]:
    finished = [cell for cell in cells if cell.finished]
    rates = {cell.values[RATE] for cell in finished}
    losses = [cell.validation_loss for cell in finished]
    if len(rates) > 1 and values[RATE] == max(rates) and max(losses) - min(losses) <= ALIKE * start:
        yield f"all {len(finished)} cells are alike, the best at the largest learning rate"
