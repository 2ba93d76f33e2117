"""C is a penalty, D is not: the work of preSAM's gradient on a closed walk."""

import numpy as np

from minisam.lab.style import INK, METHOD_COLORS, canvas, label
from minisam.optimizers import SGD
from minisam.preconditioners import Dense
from minisam.presam import PreSAM, SharpnessAware
from minisam.theory import Comparison, ProductValley, Quadratic
from minisam.theory.second_order import measure_ascent_order, measure_flow_order, measure_penalty

RHO, A = 1.0, np.array([[1.5, 0.5], [0.5, 0.9]])
C, D = np.diag([1.4, 0.8]), np.diag([3.0, 0.3])


def work(opt, walk):
    """The work of the second gradient along the closed ``walk`` (k + 1, 2), up to each point."""
    h = opt.step(walk, Quadratic(A).loss_and_grad, opt.init(walk))[2].g_perturbed
    return np.cumsum(np.sum((h[1:] + h[:-1]) / 2 * np.diff(walk, axis=0), axis=-1))


def show(xp):
    turn = np.linspace(0, 2 * np.pi, 2001)
    walk = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    fig, ax = canvas(9.5, 5.4)
    ax.set_title("Walk once around the minimum: C returns all work, D does not.\n"
                 "SAM with D minimises no function")  # fmt: skip
    degrees = np.degrees(turn[1:])
    for name, rule, method in (
        ("with C", PreSAM(RHO, constraint=Dense(C)), "asam"),
        ("with D", PreSAM(RHO, objective=Dense(D)), "info"),
    ):
        done = work(SharpnessAware(rule, SGD(0.0)), walk)
        ax.plot(degrees, done, color=METHOD_COLORS[method], lw=4)
        label(ax, 360, done[-1], name, METHOD_COLORS[method], dx=8)
        if method == "asam":
            F = Quadratic(A).loss(walk) + RHO * np.linalg.norm(walk @ A @ C, axis=-1)
            ax.plot(degrees, F[1:] - F[0], color=INK, ls="--", lw=1.5)
            law = r"predicted: the change of  $f+\rho\,\|C\,\nabla f\|$"
            low = int(np.argmin(F))
            label(ax, degrees[low], F[low] - F[0], law, dx=0, dy=-14, ha="center")
            found = Comparison("work against C, lowest on the way", np.min(F - F[0]), np.min(done))
    ax.plot([0, 360], [0, 0], color="#B0B0B0", lw=1)
    ax.set(xlabel="angle walked, degrees", ylabel="work of the gradient at w + eps",
           xlim=(0, 420), ylim=(-2.45, None), xticks=range(0, 361, 90))  # fmt: skip
    x = np.array([[1.4, 0.3], [-0.7, 1.9], [2.0, 1.2]])
    valley = ProductValley()
    return [
        found,
        measure_penalty(A, x, RHO, C),
        measure_ascent_order(valley, x, 0.02, C, D),
        measure_flow_order(valley, x),
    ], fig
