"""Times worker processes of one thread each beside as many threads of the local engine, in pairs, on this machine.

    python scripts/workers.py --data data/cifar-10-batches-py --rounds 5

Timed is what differs, from the first stack's start to the last cell's score; workers are there before, and read or get
the rows in that time. Each round takes both engines one after the other, so that a machine that changes speed changes
it for both. Printed are the seconds of each round, the ratios local / dask, and what the model in
softmaxclf/engines/cost.py expects.
"""

import argparse
import logging
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import dask
from distributed import LocalCluster

from softmaxclf.config import load_config
from softmaxclf.engines import engaged
from softmaxclf.engines.cluster import ENVIRONMENT
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs import result
from softmaxclf.workflows.runs.grid import GridTraining
from softmaxclf.workflows.runs.plan import plan
from softmaxclf.workflows.runs.session import Request
from softmaxclf.workflows.runs.tune import tune

TASKS = {
    "grid": ["tuning.learning_rates=1e-7:8e-7:log8", "tuning.regularizations=1e2:1e4:log12",
             "preprocessing.scale=none"],
    "path": ["tuning.regularizations=1e-2:10:log7"],
}  # fmt: skip


def timed(request: Request) -> float:
    """Seconds of GridTraining.train in a run of that request."""
    taken, train = [], GridTraining.train

    def watched(*arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        found = train(*arguments, **named)
        taken.append(time.perf_counter() - started)
        return found

    GridTraining.train = watched  # type: ignore[method-assign]
    try:
        tune(request, Observer())
    finally:
        GridTraining.train = train  # type: ignore[method-assign]
    return sum(taken)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="sample")
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--only", choices=TASKS)
    options = parser.parse_args()
    result._draw = result.write_report = lambda *others: None  # type: ignore[assignment]
    with dask.config.set({"distributed.nanny.pre-spawn-environ": ENVIRONMENT}), LocalCluster(
        n_workers=options.workers, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    ) as cluster, tempfile.TemporaryDirectory() as folder:  # fmt: skip
        for task, settings in TASKS.items():
            if options.only in (None, task):
                compare(task, settings, options, cluster.scheduler_address, Path(folder))


def compare(
    task: str, settings: list[str], options: argparse.Namespace, scheduler: str, folder: Path
) -> None:
    """Print the rounds of a task."""
    more = [f"training.iterations={options.iterations}"] if task == "grid" else []
    asked = {"local": {}, "dask": {"engine.kind": "dask", "engine.scheduler": scheduler}}
    seconds: dict[str, list[float]] = {kind: [] for kind in asked}
    for number in range(options.rounds + 1):
        for kind, given in asked.items():
            config = load_config(None, [*settings, *more], {"data.source": options.data, **given})
            with engaged(config.engine, Observer()) as engine:
                request = Request("tune", config, folder / f"{task}-{kind}-{number}", engine=engine)
                if number:
                    seconds[kind].append(timed(request))
                else:  # also wakes the workers
                    expected = plan(request, Observer())["seconds"]
                    print(f"{task}, {kind}: the model expects {expected:.1f} s", flush=True)
    for kind, each in seconds.items():
        print(f"{task}, {kind}: {', '.join(f'{one:.2f}' for one in each)} s")
    ratios = [here / there for here, there in zip(seconds["local"], seconds["dask"], strict=True)]
    print(
        f"{task}, local / dask: median {statistics.median(ratios):.2f} of {', '.join(f'{each:.2f}' for each in ratios)}"
    )


if __name__ == "__main__":
    main()
