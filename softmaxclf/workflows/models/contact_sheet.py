"""The page of several predictions: their images on one contact sheet, of many those that are least sure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from heapq import heappush, heappushpop
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from softmaxclf.core.model import LinearModel

if TYPE_CHECKING:
    from softmaxclf.report.predictions import Shown

PAGE = "predictions.html"
MOST_SHOWN = 200  # so that memory and page stay small; more than anyone looks through


class ContactSheet:
    """What the page shows, gathered an image at a time: of more than MOST_SHOWN the rows of the others are let go.

    notes: what to know of the model's answers. unread: errors of files that could not be read.
    """

    def __init__(self, model: LinearModel, model_path: str, notes: Sequence[str]) -> None:
        self.unread: list[str] = []
        self._model, self._model_path, self._notes = model, model_path, notes
        self._counts: Counter[str] = Counter()
        self._heap: list[tuple[float, int, Shown]] = []  # the surest first

    def add(
        self,
        place: int,
        file: str,
        top: tuple[tuple[str, float], ...],
        order: NDArray[Any],
        row: NDArray[Any],
    ) -> None:
        """Take in the prediction for the file at `place`: its best labels, all classes in `order`, the pixels."""
        from softmaxclf.report.predictions import Shown

        label, share = top[0]
        self._counts[label] += 1
        entry = (-share, -place, Shown(place, file, top, (int(order[0]), int(order[1])), row))
        (heappush if len(self._heap) < MOST_SHOWN else heappushpop)(self._heap, entry)

    def anchors(self) -> Iterator[tuple[int, str]]:
        """The place of each image that is shown, and where on the page it stands."""
        for *_, shown in self._heap:
            yield shown.place, shown.anchor

    def page(self) -> str:
        """The page as HTML text."""
        from softmaxclf.report.predictions import Labelled, predictions_page

        shown = [each for *_, each in sorted(self._heap, key=lambda entry: -entry[1])]
        return predictions_page(
            Labelled(self._model, self._model_path, self._counts, shown, self.unread, self._notes)
        )
