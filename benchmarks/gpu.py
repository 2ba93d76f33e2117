"""Throughput of SAM steps over population size and width, a GPU beside the CPU: a figure.

``python -m benchmarks gpu --backend cupy``. With ``--backend torch`` or ``numpy`` the device is
the CPU where there is no GPU, which tests this script and not a GPU.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

import minisam as ms
from benchmarks import peers
from benchmarks.timing import markdown
from minisam.backend import get, put

FIGURE = Path(__file__).with_name("gpu.png")
MEMBERS = (1, 4, 16, 64, 256, 1024)
WIDTHS = (16, 64, 256, 1024)
LARGEST = 2e8  # numbers in one array


def library(name: str):
    """Return the module, its device and its name; SystemExit with one sentence if there is none."""
    if name == "numpy":
        return np, None, "NumPy on the CPU"
    if name == "torch":
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
        return torch, device, f"PyTorch on {device}"
    try:
        import cupy

        props = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
        return cupy, None, f"CuPy on {props['name'].decode()}"
    except Exception as error:  # CuPy raises errors of its own, also on import
        reason = str(error).splitlines()[0]
        raise SystemExit(f"The GPU benchmark did not run: CuPy finds no GPU ({reason}).") from None


def throughput(xp, device, S: int, width: int, seconds: float = 0.5) -> float:
    """Return network steps a second, S networks advancing together on one fixed minibatch."""
    problem = peers.Problem((64, width, width, 10), 64)
    net = ms.MLP(problem.sizes)
    X, y = problem.data()
    X, y = put(X, xp, device), put(y, xp, device)
    w = put(np.broadcast_to(net.init(0), (S, net.n)).copy(), xp, device)
    opt = ms.SharpnessAware(ms.SAM(peers.RHO), ms.SGD(peers.LR, peers.MOMENTUM))
    state = opt.init(w)

    def run(times, w, state):
        for _ in range(times):
            w, state, _ = opt.step(w, lambda v: net.loss_and_grad(v, X, y), state)
        get(w[..., :1])  # wait for the device
        return w, state

    w, state = run(2, w, state)
    times = 1
    while True:
        start = time.perf_counter()
        w, state = run(times, w, state)
        spent = time.perf_counter() - start
        if spent > seconds:
            return S * times / spent
        times = max(2 * times, int(1.2 * times * seconds / spent))


def main(name: str) -> None:
    xp, device, title = library(name)
    ms.backend.reuse_memory()
    fast, cpu = (
        np.array([[throughput(*lib, S, width) if S * ms.MLP((64, width, width, 10)).n < LARGEST
                   else np.nan for width in WIDTHS] for S in MEMBERS])
        for lib in ((xp, device), (np, None))
    )  # fmt: skip
    gain = fast / cpu
    print(f"\n## {title} against NumPy: network steps a second (times NumPy's)\n")
    rows = [[f"S = {S}", *(f"{f:.3g} ({g:.2g})" for f, g in zip(a, b, strict=True))]
            for S, a, b in zip(MEMBERS, fast, gain, strict=True)]  # fmt: skip
    print(markdown(["", *(f"width {h}" for h in WIDTHS)], rows))

    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for j, width in enumerate(WIDTHS):
        (line,) = left.loglog(MEMBERS, fast[:, j], "o-", label=f"width {width}")
        left.loglog(MEMBERS, cpu[:, j], "--", color=line.get_color())
        right.loglog(MEMBERS, gain[:, j], "o-", label=f"width {width}")
    left.set_ylabel("network steps a second (dashed: NumPy)")
    right.set_ylabel("times as fast as NumPy")
    right.axhline(1, color="k", lw=1, ls=":")
    for ax in (left, right):
        ax.set_xlabel("population S")
        ax.grid(alpha=0.3)
        ax.legend()
    figure.suptitle(f"{title} against NumPy")
    figure.savefig(FIGURE, dpi=110)
    print(f"\nFigure: {FIGURE.name}")


if __name__ == "__main__":
    main(sys.argv[1])
