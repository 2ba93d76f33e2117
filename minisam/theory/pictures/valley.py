"""A valley of minima: SAM slides to the balanced point, ASAM far slower, gradient descent stays."""

from itertools import repeat

import numpy as np

from minisam.lab.style import INK, METHOD_COLORS, canvas, label
from minisam.optimizers import SGD
from minisam.presam import ASAM, SAM, SharpnessAware
from minisam.theory import Comparison, ProductValley, trajectory
from minisam.theory.product_valley import (
    asam_imbalance_factor,
    imbalance_factor,
    imbalance_path,
    measure_valley,
)

LR, RHO, START, STEPS = 0.04, 0.1, np.array([3.0, 0.6]), 6000
RULES = {"sgd": None, "asam": ASAM(RHO, eta=0.0), "sam": SAM(RHO)}
# what the others lose, exactly; and how far beside the point their names go
FACTORS = {
    "sgd": ("gradient descent", lambda x: imbalance_factor(x, LR, 0.0), -14),
    "asam": ("ASAM", lambda x: asam_imbalance_factor(x, LR, RHO), 12),
}


def show(xp):
    valley, rows = ProductValley(), measure_valley()
    fig, (plane, log) = canvas(12, 5, 1, 2)
    plane.set_title("SAM slides along the valley of minima\nto its flattest point")
    lost = {}
    u, v = np.meshgrid(np.linspace(0.3, 3.3, 200), np.linspace(0.1, 1.6, 200))
    f = valley.loss(np.stack([u, v], axis=-1))
    plane.contourf(u, v, np.log10(f + 1e-3), 14, cmap="Greys", alpha=0.35)
    curve = np.linspace(0.625, 3.3, 100)
    plane.plot(curve, 1 / curve, color=INK, lw=1, ls="--")
    label(plane, 1.75, 1 / 1.75, "minima, uv = 1", dx=8, dy=12)
    for name, rule in RULES.items():
        opt = SharpnessAware(rule, SGD(LR))
        path = trajectory(opt, START, repeat(valley.loss_and_grad, STEPS))
        color, middle = METHOD_COLORS[name], (path[1:] + path[:-1]) / 2
        Q = valley.imbalance(middle)
        plane.plot(*path[:: 1 if name == "sam" else 40].T, color=color, lw=0.7, alpha=0.6)
        plane.plot(*middle[-1], "o", color=color, ms=11 if name == "sam" else 9, zorder=4)
        log.semilogy(Q, color=color, lw=3.5 if name == "sam" else 2.2)
        lost[name] = 1 - Q[-1] / valley.imbalance(START)
        if name == "sam":
            label(plane, middle[-1, 0], middle[-1, 1], "SAM ends here", color, dx=10, dy=12)
            label(log, 2000, Q[2000], "SAM", color, dx=14, dy=6)
            predicted = imbalance_path(Q[200], LR, RHO, STEPS - 201)
            log.semilogy(np.arange(200, STEPS), predicted, color=INK, ls="--", lw=1.6)
            label(log, 4200, predicted[4000], "predicted:\n"
                  r"$-\,8\eta\rho^2/(2-\eta\lambda)^2$ a step", dx=-12, dy=-22)  # fmt: skip
        else:
            text, factor, shift = FACTORS[name]
            Q_ = valley.imbalance(path[[0, -1]])
            rows.append(Comparison(f"Q left after {STEPS} steps, {text}",
                                   np.prod(factor(path[:-1])), Q_[1] / Q_[0]))  # fmt: skip
            label(plane, path[-1, 0], path[-1, 1], text, color, dx=14, dy=shift, ha="right")
            label(log, STEPS / 2, Q[STEPS // 2], text, color, dx=0, dy=-0.9 * shift, ha="center")
    plane.plot(*START, "x", color=INK, ms=9, mew=2)
    label(plane, START[0], START[1], "start", dx=0, dy=12, ha="center")
    plane.set(xlabel="u", ylabel="v", xlim=(0.3, 3.3), ylim=(0.1, 1.6))
    log.set_title(f"Imbalance lost in {STEPS} steps: SAM {lost['sam']:.1%},\n"
                  f"ASAM {lost['asam']:.1%}, gradient descent {lost['sgd']:.1%}")  # fmt: skip
    log.set(xlabel="step", ylabel="imbalance  $u^2 - v^2$", xlim=(0, STEPS))
    return rows, fig
