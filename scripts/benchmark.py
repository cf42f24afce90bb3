"""Times softmaxclf beside its peers: the same rows, batch size and iterations, in one process tree and one run.

Each measurement is a fresh process that loads the arrays, brings them into the form that its contender wants
(float64, a tensor, standardized; not timed) and then times the training. The ratios for one cell, the grid and
the folds compare these training loops; the time to the target accuracy counts softmaxclf's preprocessing
too, and not scikit-learn's. Rounds alternate between contenders, so that a machine that changes speed
changes it for all. Printed are medians, ratios and the peak resident memory of the process.

"24 cells, cell by cell" of a peer is 24 times its one-cell median (`--really-24` trains all 24 instead).
The naive loop is timed over a few iterations and scaled up.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
LEARNING_RATES = (1.4e-7, 1.5e-7, 1.6e-7)
REGULARIZATIONS = (8e3, 9e3, 10e3, 11e3, 18e3, 19e3, 20e3, 21e3)
CELL = (1.5e-7, 9e3)
FOLDS = 5
NAIVE_ITERATIONS = 20
TARGET = 0.41
PATH = (10.0, 3.16228, 1.0, 0.316228, 0.1, 0.0316228, 0.01)  # regularizations of standardized rows
SKLEARN_PATH_TOL = 1e-3  # its default, 1e-4, goes further than 1e-4 of the objective
PROBE: dict[str, Any] = {"rows": 50_000, "columns": 512, "classes": 100, "pull": 0.12}
PROBE_PATH = tuple(np.logspace(2, -6, 45).tolist())
SKLEARN_PROBE_TOL = 1e-5  # the loosest that comes near 1e-4 everywhere
CLASSES: dict[str, Any] = {"rows": 100_000, "columns": 768, "classes": 1000, "pull": 0.15}
CLASSES_PATH = tuple(np.logspace(-1, -4, 8).tolist())
PATCH_IMAGES = 2000
IMAGENET: dict[str, Any] = {"rows": 1_281_167, "columns": 1536, "classes": 1000, "pull": 0.12}
CELLS = (24, 240, 2400)
GPU = (
    *(f"gpu_{cells}" for cells in CELLS),
    *(f"gpu_torch_{cells}" for cells in CELLS),
    "gpu_probe",
)  # on --device
# Minutes each, or in want of a GPU: only where they are asked for.
LONG = {"probe", "sklearn_probe", "classes", "torch_classes", *GPU}
# Found with `scripts/benchmark --search`: the setting of each with which it reaches the target soonest.
SKLEARN = {"C": 1e-4, "max_iter": 35}
RECIPE = {"learning_rate": 1e-6, "regularization": 100.0, "iterations": 450, "batch_size": 200}

Arrays = dict[str, Any]
Result = dict[str, Any]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    value = work()
    return time.perf_counter() - started, value


# The contenders. Each gets the arrays and the options and returns {"seconds": ..., more}.


def sgemm(arrays: Arrays, options: argparse.Namespace) -> Result:
    """The speed of a large square float32 product: what the machine can do at best."""
    size = 2048
    A = np.random.default_rng(0).standard_normal((size, size), dtype=np.float32)
    out = np.empty_like(A)
    np.matmul(A, A, out=out)
    seconds = statistics.median(timed(lambda: np.matmul(A, A, out=out))[0] for _ in range(9))
    return {"seconds": seconds, "gflops": 2 * size**3 / seconds / 1e9}


def memory_rate(arrays: Arrays, options: argparse.Namespace) -> Result:
    """The speed of a large copy, in bytes read and written."""
    source = np.zeros(2**27, np.uint8)
    target = np.empty_like(source)
    np.copyto(target, source)
    seconds = statistics.median(timed(lambda: np.copyto(target, source))[0] for _ in range(9))
    return {"seconds": seconds, "gigabytes": 2 * source.nbytes / seconds / 1e9}


def naive(arrays: Arrays, options: argparse.Namespace) -> Result:
    """Loops over rows and classes: the course's first exercise."""
    from softmaxclf import softmax_loss_naive

    def step(W: np.ndarray, X: np.ndarray, y: np.ndarray) -> np.ndarray:
        return softmax_loss_naive(W, X, y, CELL[1])[1]

    iterations = min(NAIVE_ITERATIONS, options.iterations)
    seconds = loop_seconds(arrays, options, step, iterations)
    return {"seconds": seconds * options.iterations / iterations, "measured_iterations": iterations}


def classic(arrays: Arrays, options: argparse.Namespace) -> Result:
    """The course's second exercise: vectorized, float64, a column of ones, batches drawn with replacement."""
    from softmaxclf import softmax_loss_vectorized

    def step(W: np.ndarray, X: np.ndarray, y: np.ndarray) -> np.ndarray:
        return softmax_loss_vectorized(W, X, y, CELL[1])[1]

    return {"seconds": loop_seconds(arrays, options, step, options.iterations)}


def loop_seconds(
    arrays: Arrays, options: argparse.Namespace, step: Callable[..., Any], iterations: int
) -> float:
    X = arrays["X"].astype(np.float64)
    X -= X.mean(axis=0)
    X = np.hstack([X, np.ones((len(X), 1))])
    y, generator = arrays["y"], np.random.default_rng(0)
    W = 1e-4 * generator.standard_normal((X.shape[1], int(y.max()) + 1))

    def train() -> None:
        nonlocal W
        for _ in range(iterations):
            rows = generator.choice(len(X), options.batch_size)
            W = W - CELL[0] * step(W, X[rows], y[rows])

    return timed(train)[0]


def torch_one(arrays: Arrays, options: argparse.Namespace) -> Result:
    """nn.Linear, CrossEntropyLoss and SGD with weight decay, float32, the tensor in memory."""
    return torch_cells(arrays, options, [CELL])


def torch_24(arrays: Arrays, options: argparse.Namespace) -> Result:
    """The same, 24 cells one after another."""
    return torch_cells(arrays, options, [(rate, reg) for rate in LEARNING_RATES for reg in REGULARIZATIONS])


def torch_cells(arrays: Arrays, options: argparse.Namespace, cells: list[tuple[float, float]]) -> Result:
    import torch

    torch.manual_seed(0)
    X = torch.from_numpy(arrays["X"].astype(np.float32))
    X -= X.mean(dim=0)
    y = torch.from_numpy(arrays["y"])

    def train() -> None:
        for rate, regularization in cells:
            model = torch.nn.Linear(X.shape[1], int(y.max()) + 1)
            loss_of = torch.nn.CrossEntropyLoss()
            optimizer = torch.optim.SGD(model.parameters(), lr=rate, weight_decay=regularization)
            order = torch.empty(0, dtype=torch.int64)
            for _ in range(options.iterations):
                if len(order) < options.batch_size:
                    order = torch.randperm(len(X))
                rows, order = order[: options.batch_size], order[options.batch_size :]
                optimizer.zero_grad()
                loss_of(model(X[rows]), y[rows]).backward()
                optimizer.step()

    return {"seconds": timed(train)[0], "threads": torch.get_num_threads()}


def torch_stacked(
    arrays: Arrays,
    options: argparse.Namespace,
    strengths: Sequence[float] = REGULARIZATIONS,
    device: str = "cpu",
) -> Result:
    """The strongest thing a user could write: 24 cells in one weight matrix, gradients by hand, updates in place."""
    import torch

    torch.manual_seed(0)
    torch.set_default_device(device)
    X = torch.from_numpy(arrays["X"].astype(np.float32)).to(device)
    X -= X.mean(dim=0)
    y = torch.from_numpy(arrays["y"]).to(device)
    rates, penalties = torch.cartesian_prod(torch.tensor(LEARNING_RATES), torch.tensor(strengths)).T
    K, G, B = int(y.max()) + 1, len(rates), options.batch_size
    W, b = torch.zeros(X.shape[1], K * G), torch.zeros(K * G)
    step, decay = rates.repeat(K) / B, (1 - rates * penalties).repeat(K)

    def train() -> None:
        order = torch.empty(0, dtype=torch.int64)
        places = torch.arange(B)
        for _ in range(options.iterations):
            if len(order) < B:
                order = torch.randperm(len(X))
            rows, order = order[:B], order[B:]
            batch = X[rows]
            slope = torch.softmax(torch.addmm(b, batch, W).view(B, K, G), dim=1)
            slope[places, y[rows]] -= 1
            slope = slope.view(B, -1).mul_(-step)
            W.mul_(decay).addmm_(batch.T, slope)
            b.add_(slope.sum(dim=0))
        b.cpu()

    with torch.no_grad():
        return {"seconds": timed(train)[0], "threads": torch.get_num_threads()}


def sklearn_to_target(arrays: Arrays, options: argparse.Namespace) -> Result:
    """LogisticRegression (lbfgs) on standardized float32 rows, at the C that is best for it, stopped at the target."""
    import warnings

    from sklearn.linear_model import LogisticRegression

    X, X_test = standardized(arrays)
    warnings.simplefilter("ignore")  # it is stopped before it converges, on purpose
    model = LogisticRegression(C=options.sklearn_c, max_iter=options.sklearn_iterations, tol=1e-9)
    seconds, _ = timed(lambda: model.fit(X, arrays["y"]))
    return {"seconds": seconds, "accuracy": float((model.predict(X_test) == arrays["y_test"]).mean())}


def standardized(arrays: Arrays) -> tuple[np.ndarray, np.ndarray]:
    X, X_test = arrays["X"].astype(np.float32), arrays["X_test"].astype(np.float32)
    mean, deviation = X.mean(axis=0), X.std(axis=0)
    return (X - mean) / deviation, (X_test - mean) / deviation


def sklearn_path(arrays: Arrays, options: argparse.Namespace) -> Result:
    """LogisticRegression along PATH, float32, warm starts from strong to weak: the objectives that it reaches."""
    return sklearn_along(standardized(arrays)[0], arrays["y"], PATH, SKLEARN_PATH_TOL)


def sklearn_along(X: np.ndarray, y: np.ndarray, path: Sequence[float], tol: float) -> Result:
    from sklearn.linear_model import LogisticRegression

    rows, objectives, seconds = len(y), [], 0.0
    model = LogisticRegression(warm_start=True, tol=tol, max_iter=5000)
    for reg in path:
        model.set_params(C=1 / (rows * reg))
        took, _ = timed(lambda: model.fit(X, y))
        seconds += took
        logs = model.predict_log_proba(X)[np.arange(rows), y]
        penalty = 0.5 * reg * np.square(model.coef_, dtype=np.float64).sum()
        objectives.append(float(penalty - logs.mean(dtype=np.float64)))
    return {"seconds": seconds, "objectives": objectives}


def softmaxclf_path(arrays: Arrays, options: argparse.Namespace) -> Result:
    """softmaxclf's solver of the optimum along PATH, each value proven to 1e-4, with its preprocessing."""
    return optimum_along(arrays["X"], arrays["y"], PATH)


def optimum_along(
    X: np.ndarray, y: np.ndarray, path: Sequence[float], device: tuple[str, str] = ("cpu", "single")
) -> Result:
    from softmaxclf.core.devices import device_of
    from softmaxclf.core.problem import Problem
    from softmaxclf.core.search import grid_cells
    from softmaxclf.core.solvers.lbfgs.solver import LBFGS, Settings
    from softmaxclf.core.stages import STAGES
    from softmaxclf.core.stages.fitting import FittingRows, fit_stages

    rows, cells = np.arange(len(y)), grid_cells({"regularization": tuple(path)})
    stages = [STAGES.load(name) for name in ("center", "standardize")]

    def solved() -> LBFGS:
        fitted, there = fit_stages(stages, FittingRows(X, rows)), device_of(*device)
        problem = Problem(X, y, int(y.max()) + 1, rows, fitted, device=there)
        solver = LBFGS(problem, Settings(), LBFGS.start(problem, Settings(), cells))
        solver.run(solver.length)
        return solver

    seconds, solver = timed(solved)
    state = solver.state
    return {
        "seconds": seconds, "objectives": state.objective.tolist(), "passes": float(state.passes.sum()),
        "proven": float(state.proven.mean()),
    }  # fmt: skip


def features(rows: int, columns: int, classes: int, pull: float) -> tuple[np.ndarray, np.ndarray]:
    """Made float16 features of overlapping classes, as embeddings have them: tanh of `pull` x center + noise."""
    generator = np.random.default_rng(0)
    y = generator.integers(0, classes, rows)
    centers = generator.standard_normal((classes, columns), dtype=np.float32)
    X = np.empty((rows, columns), np.float16)
    for start in range(0, rows, 10_000):
        part = slice(start, min(start + 10_000, rows))
        noise = generator.standard_normal((part.stop - start, columns), dtype=np.float32)
        X[part] = np.tanh(pull * centers[y[part]] + noise)
    return X, y


def softmaxclf_probe(arrays: Arrays, options: argparse.Namespace) -> Result:
    """A linear probe of 50,000 x 512 features, 100 classes, at 45 regularizations."""
    return optimum_along(*features(**PROBE), PROBE_PATH)


def sklearn_probe(arrays: Arrays, options: argparse.Namespace) -> Result:
    """The same by LogisticRegression, float32, warm, at the loosest tolerance that is near 1e-4 everywhere."""
    X, y = features(**PROBE)
    X, _ = standardized({"X": X, "X_test": X[:1]})
    return sklearn_along(X, y, PROBE_PATH, SKLEARN_PROBE_TOL)


def softmaxclf_classes(arrays: Arrays, options: argparse.Namespace) -> Result:
    """100,000 x 768 features of 1,000 classes at 8 regularizations."""
    return optimum_along(*features(**CLASSES), CLASSES_PATH)


def torch_classes(arrays: Arrays, options: argparse.Namespace) -> Result:
    """The same by torch.optim.LBFGS, warm; it is told the optimum and stopped as soon as it is within 1e-4 of it."""
    import torch

    with tempfile.TemporaryDirectory() as folder:
        best = measure("classes", Path(folder))["objectives"]
    X, y = features(**CLASSES)
    rows, _ = standardized({"X": X, "X_test": X[:1]})
    X, labels = torch.from_numpy(rows), torch.from_numpy(y)
    W = torch.zeros(X.shape[1], CLASSES["classes"], requires_grad=True)
    b = torch.zeros(CLASSES["classes"], requires_grad=True)
    seconds, objectives = 0.0, []
    for reg, least in zip(CLASSES_PATH, best, strict=True):
        optimizer = torch.optim.LBFGS([W, b], max_iter=500, history_size=10, line_search_fn="strong_wolfe",
                                      tolerance_grad=1e-9, tolerance_change=1e-12)  # fmt: skip
        reached = []

        def closure(reg: float = reg, least: float = least, reached: list[float] = reached) -> Any:
            optimizer.zero_grad()  # noqa: B023
            loss = torch.nn.functional.cross_entropy(X @ W + b, labels) + 0.5 * reg * (W**2).sum()
            loss.backward()
            reached.append(loss.item())
            if reached[-1] <= least * (1 + 1e-4):
                raise StopIteration
            return loss

        started = time.perf_counter()
        with suppress(StopIteration):
            optimizer.step(closure)
        seconds += time.perf_counter() - started
        objectives.append(reached[-1])
    return {"seconds": seconds, "objectives": objectives}


def patch_stage(arrays: Arrays) -> Any:
    """The stage of configs/patches.yaml, learned from the training images."""
    from softmaxclf.config import load_config
    from softmaxclf.core.stages.patches.dictionary import Recipe, learn

    settings = load_config(ROOT / "configs" / "patches.yaml").features
    X = arrays["X"]
    return learn(X, np.arange(len(X)), (3, 32, 32), Recipe.of(settings, fold=True))


def softmaxclf_patches(arrays: Arrays, options: argparse.Namespace) -> Result:
    """Patch features of 2,000 images; GFLOP/s counted as one product with each filter."""
    stage = patch_stage(arrays)
    images = arrays["X"][:PATCH_IMAGES].astype(np.float32)
    features = np.empty((len(images), stage.columns), np.float32)
    stage.read(images[:100], features[:100])
    seconds, _ = timed(lambda: stage.read(images, features))
    # As if both of a filter and its mirror image had a product of their own.
    operations = sum(2 * plan.scale.G.size * 2 * plan.positions for plan in stage.plans) * len(images)
    return {
        "seconds": seconds,
        "gflops": operations / seconds / 1e9,
        "features": features[:20].ravel().tolist(),
    }


def torch_patches(arrays: Arrays, options: argparse.Namespace) -> Result:
    """The same features by conv2d in PyTorch, batches of 4 images, the fastest of 1 to 50."""
    import torch
    from torch.nn import functional as F  # noqa: N812

    stage = patch_stage(arrays)
    images = torch.from_numpy(arrays["X"][:PATCH_IMAGES].astype(np.float32)).reshape(-1, 3, 32, 32)
    p, scales = stage.patch, []
    for plan in stage.plans:
        G = torch.from_numpy(plan.scale.G)
        filters = G[:-1].T.reshape(-1, 3, p, p)
        both = torch.cat([filters, filters.flip(3)])  # a filter, and its mirror image
        R = torch.from_numpy(plan.R[0].astype(np.float32))
        scales.append((plan.scale.factor, both, torch.cat([G[-1], G[-1]])[:, None, None], R))
    side = stage.pooling

    def extract(batch: torch.Tensor) -> torch.Tensor:
        found = []
        for factor, filters, constant, R in scales:
            x = F.avg_pool2d(batch, factor)
            mean = F.avg_pool2d(x.mean(1, keepdim=True), p, 1)
            variance = F.avg_pool2d(x.square().mean(1, keepdim=True), p, 1) - mean.square()
            z = F.conv2d(x, filters) / torch.sqrt(variance + stage.contrast) + constant
            for response in (z, -z):
                pooled = F.relu(response - stage.threshold).flatten(2) @ R
                own, mirrored = pooled.unflatten(2, (side, side)).chunk(2, dim=1)
                found.append((own + mirrored.flip(3)).flatten(1))
        return torch.cat(found, dim=1)

    with torch.inference_mode():
        extract(images[:100])
        seconds, features = timed(lambda: torch.cat([extract(each) for each in images.split(4)]))
    return {"seconds": seconds, "features": features[:20].ravel().tolist()}


def softmaxclf_one(arrays: Arrays, options: argparse.Namespace) -> Result:
    """softmaxclf, a stack of one."""
    return engine(arrays, options, [CELL[0]], [CELL[1]])


def softmaxclf_24(arrays: Arrays, options: argparse.Namespace) -> Result:
    """softmaxclf, the 24 cells of the classic grid in one stack."""
    return engine(arrays, options, LEARNING_RATES, REGULARIZATIONS)


def softmaxclf_24_folds(arrays: Arrays, options: argparse.Namespace) -> Result:
    """softmaxclf, the 24 cells of the classic grid times 5 folds in one stack."""
    return engine(arrays, options, LEARNING_RATES, REGULARIZATIONS, folds=FOLDS)


def softmaxclf_24_torch(arrays: Arrays, options: argparse.Namespace) -> Result:
    """The 24 cells by PyTorch on the processor, float32."""
    return engine(arrays, options, LEARNING_RATES, REGULARIZATIONS, device=("torch-cpu", "single"))


def softmaxclf_24_mixed(arrays: Arrays, options: argparse.Namespace) -> Result:
    """The same in products of bfloat16 parts."""
    return engine(arrays, options, LEARNING_RATES, REGULARIZATIONS, device=("torch-cpu", "mixed"))


def on_gpu(cells: int) -> Callable[[Arrays, argparse.Namespace], Result]:
    """So many cells, of the learning rates and regularizations of the classic grid and between, on --device."""

    def measured(arrays: Arrays, options: argparse.Namespace) -> Result:
        device = options.device, options.precision
        return engine(arrays, options, LEARNING_RATES, strengths_of(cells), device=device)

    return measured


def torch_on_gpu(cells: int) -> Callable[[Arrays, argparse.Namespace], Result]:
    """The same cells by what a user could write."""
    return lambda arrays, options: torch_stacked(arrays, options, strengths_of(cells), options.device)


def strengths_of(cells: int) -> tuple[float, ...]:
    return tuple(np.linspace(REGULARIZATIONS[0], REGULARIZATIONS[-1], cells // len(LEARNING_RATES)).tolist())


def gpu_probe(arrays: Arrays, options: argparse.Namespace) -> Result:
    """A linear probe as of ImageNet's features, of --scale of its rows, at 8 regularizations, on --device."""
    shape = {**IMAGENET, "rows": round(options.scale * IMAGENET["rows"])}
    return optimum_along(*features(**shape), CLASSES_PATH, device=(options.device, options.precision))


def softmaxclf_to_target(arrays: Arrays, options: argparse.Namespace) -> Result:
    """softmaxclf with mirror folding, Nesterov momentum and a cosine schedule, stopped at the target."""
    from softmaxclf.core.solvers.sgd.state import Settings

    settings = Settings(
        options.recipe_iterations, RECIPE["batch_size"], momentum=0.9, schedule="cosine", history_points=0
    )
    rates, strengths = [RECIPE["learning_rate"]], [RECIPE["regularization"]]
    return engine(arrays, options, rates, strengths, settings=settings, mirror=(3, 32, 32))


def engine(
    arrays: Arrays, options: argparse.Namespace, rates: Any, strengths: Any, *, folds: int = 0, settings: Any = None,
    mirror: Any = None, device: tuple[str, str] = ("cpu", "single"),
) -> Result:  # fmt: skip
    from softmaxclf.core.devices import device_of
    from softmaxclf.core.model import LinearModel
    from softmaxclf.core.problem import Problem
    from softmaxclf.core.search import grid_cells
    from softmaxclf.core.solvers.sgd.solver import SGD
    from softmaxclf.core.solvers.sgd.state import Settings, initial_state
    from softmaxclf.core.splits import stratified_folds
    from softmaxclf.core.stages import STAGES
    from softmaxclf.core.stages.fitting import FittingRows, fit_stages

    X, y = arrays["X"], arrays["y"]
    settings = settings or Settings(options.iterations, options.batch_size, regularize_bias=True)
    rows = np.arange(len(X))
    held_out = stratified_folds(y, folds) if folds else None
    cells = grid_cells({"learning_rate": rates, "regularization": strengths}, folds)
    stages = [STAGES.load(name) for name in ("mirror", "center") if mirror or name != "mirror"]
    preparing, fitted = timed(lambda: fit_stages(stages, FittingRows(X, rows, held_out, mirror)))
    there = device_of(*device)
    problem = Problem(X, y, int(y.max()) + 1, rows, fitted, fold_of_row=held_out, device=there)
    trainer = SGD(problem, settings, initial_state(cells, problem, settings))
    training, _ = timed(lambda: trainer.run(settings.iterations))
    weights = len(trainer.state.V) * trainer.state.b.size
    operations = 4 * settings.batch_size * weights * settings.iterations
    result = {
        "seconds": preparing + training,
        "loop_seconds": training,
        "gflops": operations / training / 1e9,
    }
    if not folds and len(cells) == 1:
        W, b = trainer.weights(0)
        model = LinearModel(W.astype(np.float32), b.astype(np.float32), (), fitted[0])
        result["accuracy"] = float((model.predict(arrays["X_test"]) == arrays["y_test"]).mean())
    return result


TASKS: dict[str, Callable[[Arrays, argparse.Namespace], Result]] = {
    "sgemm": sgemm,
    "memory": memory_rate,
    "naive": naive,
    "classic": classic,
    "torch": torch_one,
    "torch_24": torch_24,
    "torch_stacked": torch_stacked,
    "sklearn": sklearn_to_target,
    "one": softmaxclf_one,
    "grid": softmaxclf_24,
    "grid_torch": softmaxclf_24_torch,
    "grid_mixed": softmaxclf_24_mixed,
    "folds": softmaxclf_24_folds,
    "target": softmaxclf_to_target,
    "path": softmaxclf_path,
    "sklearn_path": sklearn_path,
    "probe": softmaxclf_probe,
    "sklearn_probe": sklearn_probe,
    "classes": softmaxclf_classes,
    "torch_classes": torch_classes,
    "patches": softmaxclf_patches,
    "torch_patches": torch_patches,
    **{f"gpu_{cells}": on_gpu(cells) for cells in CELLS},
    **{f"gpu_torch_{cells}": torch_on_gpu(cells) for cells in CELLS},
    "gpu_probe": gpu_probe,
}


OPTIMA = (
    ("path", "scikit-learn", "sklearn_path"),
    ("probe", "scikit-learn", "sklearn_probe"),
    ("classes", "PyTorch", "torch_classes"),
)

# The orchestra.


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", default=str(ROOT / "data" / "cifar-10-batches-py"), help="SOURCE, as softmaxclf takes it"
    )
    parser.add_argument("--iterations", type=int, default=3000)
    parser.add_argument("--batch-size", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each contender (default 3)")
    parser.add_argument("--quick", action="store_true", help="the built-in sample, 200 iterations, one round")
    parser.add_argument("--only", help="comma-separated tasks: " + ", ".join(TASKS))
    parser.add_argument(
        "--really-24", action="store_true", help="train PyTorch's 24 cells instead of multiplying"
    )
    parser.add_argument(
        "--search", action="store_true", help="look for the settings that reach the target soonest"
    )
    parser.add_argument("--device", default="cuda", help="of " + ", ".join(GPU) + " (default cuda)")
    parser.add_argument("--precision", default="mixed", help="of the same (default mixed)")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the rows of gpu_probe (default 1)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--sklearn-c", type=float, default=SKLEARN["C"])
    parser.add_argument("--sklearn-iterations", type=int, default=SKLEARN["max_iter"])
    parser.add_argument("--recipe-iterations", type=int, default=RECIPE["iterations"])
    parser.add_argument("--task", help=argparse.SUPPRESS)
    parser.add_argument("--arrays", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.data, options.iterations, options.rounds = "sample", 200, 1
    return options


def save_arrays(options: argparse.Namespace, folder: Path) -> None:
    """The classic split (all but the last 1,000 training rows) as .npy files that every process loads."""
    from softmaxclf.datasets.sources import open_source

    dataset = open_source(options.data, ROOT / "data")
    count = len(dataset.train.y) - 1000
    test = dataset.test()
    arrays = {"X": dataset.train.X[:count], "y": dataset.train.y[:count], "X_test": test.X, "y_test": test.y}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def child(options: argparse.Namespace) -> None:
    names = ("X", "y", "X_test", "y_test")
    arrays = {name: np.load(Path(options.arrays) / f"{name}.npy") for name in names}
    result = TASKS[options.task](arrays, options)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**result, "peak_megabytes": peak}))


def measure(task: str, folder: Path, *more: str) -> Result:
    command = [sys.executable, __file__, *sys.argv[1:], *more, "--task", task, "--arrays", str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def chosen_tasks(options: argparse.Namespace) -> list[str]:
    if options.only:
        return options.only.split(",")
    left_out = LONG | (set() if options.really_24 else {"torch_24"})
    if options.quick:
        left_out |= {
            "sklearn",
            "target",
            "path",
            "sklearn_path",
            "patches",
            "torch_patches",
        }  # the target is one of CIFAR-10
    return [task for task in TASKS if task not in left_out]


def medians(results: dict[str, list[Result]]) -> dict[str, Result]:
    return {
        task: {key: np.median([each[key] for each in runs], axis=0).tolist() for key in runs[0]}
        for task, runs in results.items()
    }


def ratios(found: dict[str, Result], cells: int) -> dict[str, float]:
    """Every claim of the README, as a ratio of medians of this run."""

    def seconds(task: str) -> float:
        return found[task].get("loop_seconds", found[task]["seconds"])

    claims: dict[str, Callable[[], float]] = {
        "one cell: naive / softmaxclf": lambda: seconds("naive") / seconds("one"),
        "one cell: classic float64 / softmaxclf": lambda: seconds("classic") / seconds("one"),
        "one cell: PyTorch / softmaxclf": lambda: seconds("torch") / seconds("one"),
        "24 cells: classic float64 / softmaxclf": lambda: cells * seconds("classic") / seconds("grid"),
        "24 cells: PyTorch / softmaxclf": lambda: (
            found.get("torch_24", {"seconds": cells * seconds("torch")})["seconds"] / seconds("grid")
        ),
        "24 cells: PyTorch stacked by hand / softmaxclf": lambda: seconds("torch_stacked") / seconds("grid"),
        "24 cells: share of the sgemm peak": lambda: found["grid"]["gflops"] / found["sgemm"]["gflops"],
        "patches: PyTorch / softmaxclf": lambda: seconds("torch_patches") / seconds("patches"),
        "patches: share of the sgemm peak": lambda: found["patches"]["gflops"] / found["sgemm"]["gflops"],
        "patches: largest difference of features, relative to the largest": lambda: float(
            np.abs(np.subtract(found["patches"]["features"], found["torch_patches"]["features"])).max()
            / np.max(found["patches"]["features"])
        ),
        "24 cells: NumPy / PyTorch on the processor": lambda: seconds("grid") / seconds("grid_torch"),
        "24 cells: NumPy / PyTorch, mixed precision": lambda: seconds("grid") / seconds("grid_mixed"),
        "24 cells x 5 folds / 24 cells": lambda: seconds("folds") / seconds("grid"),
        f"time to {TARGET}: scikit-learn / softmaxclf": lambda: (
            seconds("sklearn") / found["target"]["seconds"]
        ),
        **{
            f"{task}: {peer} / softmaxclf": lambda task=task, key=key: seconds(key) / seconds(task)
            for task, peer, key in OPTIMA
        },
        **{
            f"{task}: the worst objective of {peer} above ours, relative": lambda task=task, key=key: max(
                theirs / ours - 1
                for theirs, ours in zip(found[key]["objectives"], found[task]["objectives"], strict=True)
            )
            for task, peer, key in OPTIMA
        },
    }
    known = {}
    for name, claim in claims.items():
        try:
            known[name] = claim()
        except KeyError:
            continue  # a contender that was not measured
    return known


def search(folder: Path) -> None:
    """Print, for scikit-learn and softmaxclf, the accuracy and time of settings around the fastest known ones."""
    for C in ("1e-4", "3e-4", "1e-3", "3e-3", "1e-2"):
        for iterations in ("10", "20", "30", "40", "60", "80"):
            found = measure("sklearn", folder, "--sklearn-c", C, "--sklearn-iterations", iterations)
            print(
                f"scikit-learn C {C} max_iter {iterations}: {found['accuracy']:.4f} in {found['seconds']:.2f} s",
                flush=True,
            )
    for iterations in ("300", "400", "500", "600", "700", "800", "1000"):
        found = measure("target", folder, "--recipe-iterations", iterations)
        print(
            f"softmaxclf {iterations} iterations: {found['accuracy']:.4f} in {found['seconds']:.2f} s",
            flush=True,
        )


def report(found: dict[str, Result], claims: dict[str, float], options: argparse.Namespace) -> None:
    print(f"{options.iterations:,} iterations of {options.batch_size} rows, medians of {options.rounds}, "
          f"{os.cpu_count()} cores, NumPy {np.__version__}")  # fmt: skip
    print(f"{'task':<10} {'seconds':>9} {'GFLOP/s':>9} {'peak MB':>9} {'accuracy':>9}")
    for task, result in found.items():
        shown = [f"{result[key]:{form}}" if key in result else "-" for key, form in
                 (("seconds", ".3f"), ("gflops", ".1f"), ("peak_megabytes", ".0f"), ("accuracy", ".4f"))]  # fmt: skip
        print(f"{task:<10} " + " ".join(f"{text:>9}" for text in shown))
    for name, value in claims.items():
        print(f"{name}: {value:.2g}" if value < 0.01 else f"{name}: {value:.2f}")


def main() -> None:
    options = parse()
    if options.task:
        child(options)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_arrays(options, folder)
        if options.search:
            search(folder)
            return
        results: dict[str, list[Result]] = {task: [] for task in chosen_tasks(options)}
        for number in range(options.rounds):
            for task, runs in results.items():
                print(f"round {number + 1} of {options.rounds}: {task}", file=sys.stderr)
                runs.append(measure(task, folder))
    found = medians(results)
    claims = ratios(found, len(LEARNING_RATES) * len(REGULARIZATIONS))
    if options.json:
        print(
            json.dumps(
                {"options": vars(options), "medians": found, "runs": results, "ratios": claims}, indent=2
            )
        )
    else:
        report(found, claims, options)


if __name__ == "__main__":
    main()
