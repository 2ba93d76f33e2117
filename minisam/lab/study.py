"""A study: choose rho for every method on the validation split, then train with several seeds.

Every run has a name (stage, method, rho, seed) and is a function of it and of the ``Setting``. So
runs can be computed in any order, alone or as a population, here or elsewhere, once and for all:
what has been computed is in a ``Log``, and is not computed again.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import minisam
from minisam import checks
from minisam.lab import engines
from minisam.lab.data import Data, Split, load
from minisam.lab.train import along, train
from minisam.mlp import MLP
from minisam.optimizers import SGD
from minisam.presam import ASAM, SAM, FisherSAM, FriendlySAM, InfoSAM, PreSAM, VaSSO

# Radii to choose from. ASAM measures them in units of the weights; the averages of VaSSO and
# FriendlySAM stand larger ones.
RADII = (0.05, 0.1, 0.2, 0.4, 0.57, 0.8, 1.1, 1.6)
WIDER = (0.07, 0.14, 0.28, 0.57, 0.8, 1.1, 1.6, 2.3)
IN_WEIGHTS = (0.4, 0.8, 1.6, 3.2, 4.5, 6.4, 9.0, 13.0)
METHODS: dict[str, tuple[PreSAM | None, tuple[float, ...]]] = {
    "sgd": (None, (0.0,)),
    "sam": (SAM(1.0), RADII),
    "asam": (ASAM(1.0), IN_WEIGHTS),
    "fisher": (FisherSAM(1.0), RADII),
    "vasso": (VaSSO(1.0), WIDER),
    "friendly": (FriendlySAM(1.0), WIDER),
    "info": (InfoSAM(1.0), RADII),
}
TUNING_SEEDS = (1000, 1001, 1002)  # no final run has one of these
DISTANCES = np.linspace(-2, 2, 17)  # ||step|| at which the loss along eps is looked at


@dataclass(frozen=True)
class Setting:
    """All that a run depends on besides its name."""

    data: str = "digits"
    label_noise: float = 0.5
    epochs: int = 30
    backend: str = "numpy"
    hidden: tuple[int, ...] = (128, 128)
    batch: int = 64
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4

    def build(self) -> tuple[MLP, Data, SGD]:
        """Return the network, the data (on the device of the backend), and the base optimizer."""
        data = _data(self.data, self.label_noise, self.backend)
        net = MLP((data.train.X.shape[1], *self.hidden, 10))
        return net, data, SGD(self.lr, self.momentum, self.weight_decay)


@lru_cache(maxsize=8)
def _data(name: str, label_noise: float, backend: str) -> Data:
    data = load(name, label_noise=label_noise)
    return data if backend == "numpy" else data.to(library(backend))


class Run(NamedTuple):
    """The name of a run."""

    stage: str  # "tune" or "final"
    method: str
    rho: float
    seed: int


Result = dict[str, Any]  # a run's name and its outcome, as written to the log


def perform(setting: Setting, runs: tuple[Run, ...]) -> list[Result]:
    """Train ``runs``, of one method and stage, as a population; numbers as JSON can hold them.

    Tuning runs report the accuracy on the validation split at the end, and nothing of the test
    split. A run that diverged reports the step at which it did, and what it was until then.
    """
    from threadpoolctl import threadpool_limits

    began = time.perf_counter()
    net, data, base = setting.build()
    rule, _ = METHODS[runs[0].method]
    final = runs[0].stage == "final"
    training = train(
        net, data, rule, base,
        epochs=setting.epochs, batch=setting.batch,
        seed=[run.seed for run in runs], rho=[run.rho for run in runs] if rule else None,
        every=1 if final else setting.epochs,
    )  # fmt: skip
    # one thread: the matrices are small, and with two the last bit would differ
    with threadpool_limits(1):
        records = list(training)
        last = records[-1]
        # SGD has no eps: where would SAM look?
        direction = last.eps if rule else net.loss_and_grad(last.at, *data.train)[1]
        slices = along(net, data.train, last.at, direction, DISTANCES) if final else None
    seconds = (time.perf_counter() - began) / len(runs)

    results = []
    for i, run in enumerate(runs):
        good = [r for r in records if not r.diverged[i]]
        curve = lambda name: [float(getattr(r, name)[i]) for r in good]  # noqa: B023
        result = {
            **run._asdict(),
            "diverged": int(last.finite_steps[i]) + 1 if last.diverged[i] else None,
            "steps": last.step,
            "gradients": last.step * (1 if rule is None else 2),
            "seconds": seconds,
            "validation": curve("validation"),
        }
        if slices is not None:
            result["epoch"] = [r.epoch for r in good]
            result |= {name: curve(name) for name in ("loss", "train", "test", "cosine")}
            result["along"] = [] if last.diverged[i] else slices[i].tolist()
        results.append(result)
    return results


class Log:
    """The file of results, one JSON line a run; only ever appended to.

    A first line for each setting describes it whole: the setting, the code, the versions. Results
    count for the setting and the code that made them; all others stay in the file, unread.
    """

    def __init__(self, path: str | Path, setting: Setting):
        self.path, self.results = Path(path), {}
        about = {"setting": asdict(setting), "code": code_fingerprint(), "numpy": np.__version__}
        self.key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:12]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = self.path.read_text() if self.path.exists() else ""
        lines = [line for line in map(_parse, text.splitlines()) if line.get("key") == self.key]
        if text and not text.endswith("\n"):
            self._append_text("\n")  # the end of a line that was cut off
        if not lines:
            self._append({"key": self.key, **about, "versions": versions()})
        for line in lines:
            if "stage" in line:
                self.results[Run(*(line[name] for name in Run._fields))] = line

    def add(self, results: Iterable[Result]) -> None:
        """Write results of this setting."""
        for result in results:
            self._append({"key": self.key, **result})
            self.results[Run(*(result[name] for name in Run._fields))] = result

    def _append(self, line: dict) -> None:
        self._append_text(json.dumps(line) + "\n")

    def _append_text(self, text: str) -> None:
        with self.path.open("a") as file:
            file.write(text)


def _parse(line: str) -> dict:
    try:
        return json.loads(line)
    except json.JSONDecodeError:  # cut off while it was written
        return {}


class Outcome(NamedTuple):
    """What a study found."""

    scores: dict[str, dict[float, float]]  # method -> rho -> mean validation accuracy
    rho: dict[str, float]  # method -> the radius with the best score
    finals: dict[str, list[Result]]  # method -> results, by seed

    def on_edge(self, method: str) -> bool:
        """Whether the best radius is the grid's first or last: the best may lie beyond."""
        grid = list(self.scores[method])
        return len(grid) > 1 and self.rho[method] in (grid[0], grid[-1])


def study(
    setting: Setting,
    methods: Iterable[str] = tuple(METHODS),
    seeds: int = 5,
    *,
    log: Log,
    engine: engines.Engine | None = None,
    progress: Callable[[int], Any] = lambda runs: None,
) -> Outcome:
    """Tune rho for each method on the validation split, then train with ``seeds`` seeds.

    The radius with the highest validation accuracy at the end of training, in the mean over
    ``TUNING_SEEDS``, wins; the smaller one if two are equal. The test split has no part in this.

    Parameters
    ----------
    log
        Where results go as they come. What it holds already is not computed again.
    engine
        See ``minisam.lab.engines``; this process by default.
    progress
        Called with the number of runs each time some are done.
    """
    engine = engine or engines.local(1)
    methods = list(methods)
    for method in methods:
        checks.check_choice("method", method, METHODS)
    checks.check_count("seeds", seeds)
    tuning = tuning_runs(methods)
    size = population_size(setting, len(TUNING_SEEDS) * max(len(METHODS[m][1]) for m in methods))
    compute(setting, tuning, log, engine, size, progress)
    scores: dict[str, dict[float, float]] = {method: {} for method in methods}
    for run in tuning:
        result = log.results[run]
        score = 0.0 if result["diverged"] else result["validation"][-1]
        scores[run.method].setdefault(run.rho, 0.0)
        scores[run.method][run.rho] += score / len(TUNING_SEEDS)
    rho = {method: max(by_rho, key=by_rho.__getitem__) for method, by_rho in scores.items()}
    finals = {m: [Run("final", m, rho[m], seed) for seed in range(seeds)] for m in methods}
    compute(setting, list(chain(*finals.values())), log, engine, size, progress)
    return Outcome(scores, rho, {m: [log.results[run] for run in finals[m]] for m in methods})


def tuning_runs(methods: Iterable[str]) -> list[Run]:
    """All runs of the first stage."""
    return [
        Run("tune", method, rho, seed)
        for method in methods for rho in METHODS[method][1] for seed in TUNING_SEEDS
    ]  # fmt: skip


def compute(
    setting: Setting,
    runs: list[Run],
    log: Log,
    engine: engines.Engine,
    size: int,
    progress: Callable[[int], Any],
) -> None:
    """Compute the runs that ``log`` lacks, in populations of at most ``size``."""
    todo = [run for run in runs if run not in log.results]
    progress(len(runs) - len(todo))
    size = min(size, math.ceil(len(todo) / engine.jobs))
    tasks = []
    for method in dict.fromkeys(run.method for run in todo):
        group = [run for run in todo if run.method == method]
        parts = math.ceil(len(group) / size)
        tasks += [tuple(group[i::parts]) for i in range(parts)]
    for results in engine.map(partial(perform, setting), tasks):
        log.add(results)
        progress(len(results))


@lru_cache
def population_size(setting: Setting, largest: int) -> int:
    """Measure how many runs are best advanced together: 1, 2, 4, ..., at most ``largest``.

    A few steps of SAM are timed with each size, and the least time per run wins. On NumPy a run
    gives the same result in every population, to the last bit, so this is a matter of speed alone.
    """
    from threadpoolctl import threadpool_limits

    net, data, base = setting.build()
    few = Split(*(a[: 4 * setting.batch, ...] for a in data.train))
    data = Data(data.name, few, few, few)

    def seconds(size: int) -> float:
        began = time.perf_counter()
        for _ in train(net, data, SAM(0.1), base, epochs=2, batch=setting.batch, seed=range(size)):
            pass
        return (time.perf_counter() - began) / size

    with threadpool_limits(1):
        seconds(1)  # the first call pays for what happens once
        sizes = [2**k for k in range(largest.bit_length())]
        return min(sizes, key=lambda size: min(seconds(size) for _ in range(2)))


def library(name: str) -> Any:
    """Return the array library of that name, if it can compute here.

    Raises
    ------
    ValueError
        If it is unknown or not installed, or if CuPy finds no GPU.
    """
    checks.check_choice("backend", name, ("numpy", "cupy", "torch"))
    package = {"numpy": "numpy", "cupy": "minisam[gpu-cuda12]", "torch": "torch"}[name]
    try:
        xp = __import__(name)
    except ImportError as error:
        raise ValueError(
            f"backend {name} is not installed: pip install '{package}', or use --backend numpy"
        ) from error
    try:
        float(xp.ones(1)[0])
    except Exception as error:  # CuPy has many ways to say that there is no GPU
        raise ValueError(
            f"backend {name} cannot compute here, it finds no usable GPU: use --backend numpy"
        ) from error
    return xp


_RESULTS_DEPEND_ON = ("data", "study", "train")


@lru_cache
def code_fingerprint() -> str:
    """Hash of the source of the method and the lab: a result belongs to the code that made it."""
    root = Path(minisam.__file__).parent
    files = [*sorted(root.glob("*.py")), *(root / "lab" / f"{m}.py" for m in _RESULTS_DEPEND_ON)]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def versions() -> dict[str, str]:
    """Versions of what takes part in a study."""
    found = {"minisam": minisam.__version__, "python": platform.python_version()}
    for package in ("numpy", "scikit-learn", "joblib", "array-api-compat", "mlxtend", "mnist1d"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found | {"machine": platform.platform()}
