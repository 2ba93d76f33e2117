"""FedSAM: different clients stop SAM's bouncing, and on split digits SAM speeds up the server."""

import numpy as np

from minisam.lab.style import INK, METHOD_COLORS, canvas, label
from minisam.theory import Comparison
from minisam.theory.federated import measure_bouncing, measure_federated
from minisam.theory.federated_digits import measure_digits
from minisam.theory.two_cycle import cycle_amplitude

LR, RHO = 0.5, 0.3


def show(xp):
    distance, ends = measure_bouncing(LR, RHO)
    a = cycle_amplitude(LR, RHO, 1.0)
    fig, (toy, real) = canvas(12.5, 5, 1, 2)
    toy.set_title("Two clients farther apart than the\ntwo-cycle stop its bouncing")
    border = np.array([0, a, a, 2 * a])
    toy.plot(border / a, np.array([a, a, 0, 0]) / a, color=INK, lw=1.5)
    toy.plot(distance / a, ends.measured / a, "o", color=METHOD_COLORS["sam"], ms=7)
    label(toy, 1, 0.55, "line: predicted\ndots: measured", dx=12)
    toy.set(xlabel="distance of each client's minimum / a", ylabel="where the server ends / a",
            ylim=(-0.05, 1.2))  # fmt: skip

    seen = measure_digits()
    real.set_title("Digits, one class to a client:\nSAM steps help the server (measured)")
    rounds = np.arange(seen.accuracy.shape[-1])
    for rho, runs, shade in zip(seen.rho, seen.accuracy, (1, 0.55, 1), strict=True):
        color = METHOD_COLORS["sam" if rho else "sgd"]
        mean, error = runs.mean(0), runs.std(0, ddof=1) / np.sqrt(len(runs))
        real.fill_between(rounds, mean - error, mean + error, color=color, alpha=0.2, lw=0)
        real.plot(rounds, mean, color=color, alpha=shade)
        at = 9 if rho else 7
        text = rf"FedSAM, $\rho$ = {rho:g}" if rho else r"FedAvg, $\rho$ = 0"
        if rho in (0, seen.rho[-1]):
            label(real, at, mean[at], text, color, dx=-10 if rho else 16, dy=8 if rho else -10)
    real.set(xlabel="round", ylabel="test accuracy of the server", ylim=(0, 1))
    held = Comparison("share of client pairs that stop the bouncing", np.mean(ends.predicted == 0),
                      np.mean(ends.measured < 1e-6))  # fmt: skip
    return [held, *measure_federated(rounds=200)], fig
