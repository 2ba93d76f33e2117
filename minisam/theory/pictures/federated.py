"""FedSAM: different clients stop SAM's bouncing; digits: SAM helps, a larger lr helps more."""

import numpy as np

from minisam.lab.style import INK, METHOD_COLORS, canvas, label
from minisam.theory import Comparison
from minisam.theory.federated import measure_bouncing, measure_federated
from minisam.theory.federated_digits import measure_digits
from minisam.theory.two_cycle import cycle_amplitude

LR, RHO, RADII = 0.5, 0.3, (0.0, 0.5)


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

    real.set_title("Digits, one class to a client (measured):\n"
                   "SAM helps, a larger learning rate helps more")  # fmt: skip
    measured = []
    for lr, look, at in ((0.05, "-", (7, 0.56)), (0.5, "--", (7, 0.94))):
        for rho, runs in zip(RADII, measure_digits(RADII, lr=lr), strict=True):
            text = f"FedSAM, rho = {rho}" if rho else "FedAvg"
            color = METHOD_COLORS["sam" if rho else "sgd"]
            mean, error = runs.mean(0), runs.std(0, ddof=1) / np.sqrt(len(runs))
            rounds = np.arange(len(mean))
            real.fill_between(rounds, mean - error, mean + error, color=color, alpha=0.2, lw=0)
            real.plot(rounds, mean, look, color=color)
            name = f"test accuracy, rounds 5 .. {rounds[-1]}, {text}, lr = {lr}"
            measured.append(Comparison(name, None, mean[[5, -1]]))
        label(real, *at, rf"$\eta$ = {lr}", dx=6)
    label(real, 30, 0.62, rf"FedSAM, $\rho$ = {RADII[1]}", METHOD_COLORS["sam"], dx=-6)
    label(real, 30, 0.52, "FedAvg", METHOD_COLORS["sgd"], dx=-6)
    real.set(xlabel="round", ylabel="test accuracy of the server", ylim=(0, 1))
    held = Comparison("share of client pairs that stop the bouncing", np.mean(ends.predicted == 0),
                      np.mean(ends.measured < 1e-6))  # fmt: skip
    return [held, *measure_federated(rounds=200), *measured], fig
