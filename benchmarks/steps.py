"""Time of one SAM step at three sizes: minisam, PyTorch, JAX and the matrix products alone."""

from __future__ import annotations

import sys
import time

import numpy as np
import torch  # before NumPy's BLAS is looked at, so that its version is shown
from tqdm import tqdm

import minisam as ms
from benchmarks import peers
from benchmarks.timing import cores, interleave, machine, markdown, ratio, show

SIZES = {
    "small": peers.Problem((40, 128, 128, 10), 64),
    "medium": peers.Problem((784, 512, 512, 10), 128),
    "large": peers.Problem((784, 1024, 1024, 1024, 10), 256),
}
ONE_NUMBER = peers.Problem((1, 1, 1, 1), 1)


def main(rounds: int) -> None:
    ms.backend.reuse_memory()
    torch.set_num_threads(cores())
    times, ratios, shares = [], [], []
    for name, problem in tqdm(SIZES.items(), disable=None):
        contestants = {
            "floor": peers.matrix_products(problem),
            "SAM": peers.minisam(problem, ms.SAM(peers.RHO)),
            "InfoSAM": peers.minisam(problem, ms.InfoSAM(peers.RHO)),
            "PyTorch": peers.pytorch(problem),
            "PyTorch compiled": peers.pytorch_compiled(problem),
            "JAX": peers.jax_jit(problem),
            "calls": peers.minisam(peers.Problem((1,) * len(problem.sizes), 1), ms.SAM(peers.RHO)),
        }
        agree(contestants)
        s = dict(zip(contestants, interleave(list(contestants.values()), rounds).T, strict=True))
        times.append([name, *(f"{1e3 * np.median(t):.3g}" for k, t in s.items() if k != "calls")])
        ratios.append([name, *(show(ratio(s["SAM"], s[k]))
                               for k in ("floor", "PyTorch", "PyTorch compiled", "JAX")),
                       show(ratio(s["InfoSAM"], s["SAM"]))])  # fmt: skip
        products, calls = (ratio(s[k], s["SAM"])[0] for k in ("floor", "calls"))
        shares.append([name, *(f"{x:.0%}" for x in (products, calls, 1 - products - calls))])
    import jax  # noqa: F401  (its version is shown)

    print(f"\n## Steps on {cores()} core(s)\n\n{machine()}\n\nMilliseconds a step, medians:\n")
    print(markdown(["size", *list(contestants)[:-1]], times))
    print("\nRatios, median (quartiles):\n")
    print(markdown(["size", "SAM / floor", "SAM / PyTorch", "SAM / PyTorch compiled",
                    "SAM / JAX", "InfoSAM / SAM"], ratios))  # fmt: skip
    print("\nWhere a SAM step spends its time (calls: the same step on arrays of one number):\n")
    print(markdown(["size", "matrix products", "calls", "arithmetic and memory"], shares))


def agree(contestants: dict) -> None:
    """Stop unless minisam, PyTorch and JAX walk the same path."""
    names = [k for k in contestants if k in ("SAM", "PyTorch", "PyTorch compiled", "JAX")]
    for name in names:
        for _ in range(3):
            contestants[name]()
    first, *others = (contestants[name].weights() for name in names)
    for other in others:
        for a, b in zip(first, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


if __name__ == "__main__":
    start = time.time()
    main(int(sys.argv[1]))
    print(f"\n({time.time() - start:.0f} s)")
