"""Peak memory of training, over the bytes of the parameters, at 10 million parameters."""

from __future__ import annotations

import tracemalloc

import minisam as ms
from benchmarks import peers
from benchmarks.timing import markdown
from benchmarks.variants import rules

PROBLEM = peers.Problem((784, 2700, 2700, 216, 10), 32)


def main() -> None:
    net = ms.MLP(PROBLEM.sizes)
    activations = 2 * 4 * PROBLEM.batch * sum(PROBLEM.sizes)
    rows = []
    for name, rule in rules(net.n).items():
        tracemalloc.start()
        step = peers.minisam(PROBLEM, rule)
        step()  # what one keeps between steps is allocated here
        tracemalloc.reset_peak()
        step()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        del step
        rows.append([name, f"{(peak - activations) / (4 * net.n):.1f}"])
    print(f"\n## Peak memory over parameter bytes, {net.n / 1e6:.1f} million parameters\n")
    print(markdown(["", "peak / parameters"], rows))


if __name__ == "__main__":
    main()
