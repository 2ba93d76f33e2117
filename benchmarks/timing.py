"""Measure ratios on a busy machine: contestants take turns, and every round gives its own ratios.

A load that comes and goes slows all contestants of a round alike, so the ratio within a round is
steady where times are not. The median over rounds is the result, the quartiles are its spread.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable

import numpy as np


def interleave(contestants: list[Callable], rounds: int, burst: float = 0.005) -> np.ndarray:
    """Return seconds per call, (rounds, contestants): one burst of calls each, in random order.

    On one core the clock is the processor time of this process, all its threads together, so that
    other programs do not count; on several cores it is the clock on the wall.
    """
    clock = time.process_time if cores() == 1 else time.perf_counter

    def seconds_per_call(call, times):
        start = clock()
        for _ in range(times):
            call()
        return (clock() - start) / times

    for call in contestants:
        for _ in range(2):  # compile, fill caches
            call()
    calls = [
        max(1, round(burst / min(seconds_per_call(call, 1) for _ in range(5))))
        for call in contestants
    ]
    rng = np.random.default_rng(0)
    seconds = np.empty((rounds, len(contestants)))
    for row in seconds:
        for i in rng.permutation(len(contestants)):
            seconds_per_call(contestants[i], 1)  # bring its data back into the cache
            row[i] = seconds_per_call(contestants[i], calls[i])
    return seconds


def cores() -> int:
    """Number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ratio(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """Return median, lower and upper quartile of ``a / b`` over rounds."""
    q1, q2, q3 = np.quantile(a / b, [0.25, 0.5, 0.75])
    return float(q2), float(q1), float(q3)


def show(r: tuple[float, float, float]) -> str:
    return f"{r[0]:.2f} ({r[1]:.2f}-{r[2]:.2f})"


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """Return an aligned Markdown table."""
    rows = [header, *rows]
    width = [max(len(row[i]) for row in rows) for i in range(len(header))]
    lines = ["| " + " | ".join(c.ljust(n) for c, n in zip(row, width, strict=True)) + " |"
             for row in rows]  # fmt: skip
    return "\n".join([lines[0], "|" + "|".join("-" * (n + 2) for n in width) + "|", *lines[1:]])


def machine() -> str:
    """Describe processor, BLAS and versions in a few lines."""
    import threadpoolctl

    cpu = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as f:
            models = [line.split(":")[1].strip() for line in f if line.startswith("model name")]
        cpu = models[0] if models else cpu
    blas = {f"{p['internal_api']} {p['version']} {p.get('architecture', '')}".strip()
            for p in threadpoolctl.threadpool_info() if p["user_api"] == "blas"}  # fmt: skip
    modules = ["numpy", "torch", "jax", "optax", "cupy"]
    versions = [f"{m} {sys.modules[m].__version__}" for m in modules if m in sys.modules]
    return (
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores {cpu}, "
        f"Python {platform.python_version()}, {', '.join(versions)}, BLAS of NumPy: "
        f"{', '.join(sorted(blas))}"
    )
