"""Near a saddle point: who leaves, who stays for ever."""

import numpy as np

from minisam.lab.style import INK, METHOD_COLORS, canvas
from minisam.theory.saddle_escape import escaped, measure_escape, measure_multiplier, multiplier

SAM, GREY, RHO = METHOD_COLORS["sam"], "#BDBDBD", 0.1


def show(xp):
    rng, count = np.random.default_rng(1), 700
    lr, m = rng.uniform(0.02, 1.98, count), 10 ** rng.uniform(-2, 0.5, count)
    lr, m = lr[lr * m < 0.95], m[lr * m < 0.95]
    gone = escaped(lr, np.ones_like(lr), m, RHO, 3000)
    fig, ax = canvas(8.6, 5.6)
    ax.set_title("SAM can stay at a saddle for ever, and theory says at which.\n"
                 "Gradient descent leaves all of these")  # fmt: skip
    slow = np.abs(multiplier(lr, 1.0, m) - 1) < 0.02
    ring = {"mfc": "white", "mew": 1.3}
    for who, color, look in ((gone & ~slow, SAM, ring), (~gone & ~slow, SAM, {}), (slow, GREY, {})):
        ax.plot(m[who], lr[who], "o", color=color, ms=3 if who is slow else 6, **look)
    edge = np.geomspace(0.01, 3.2, 200)
    ax.semilogx(edge, 2 / (1 + 1 / edge), color=INK)
    ax.semilogx(edge[edge > 0.48], 0.95 / edge[edge > 0.48], color="#B0B0B0", ls=":")
    halo = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 3}
    ax.text(0.03, 1.25, "SAM left (rings)", color=SAM, fontsize=15, fontweight="bold", bbox=halo)
    ax.text(0.35, 0.22, "SAM is held (discs)", color=SAM, fontsize=15, fontweight="bold", bbox=halo)
    ax.text(0.042, 0.3, "predicted border\n" r"$\eta\lambda\,(1+\lambda/m)=2$", bbox=halo)
    ax.text(1.05, 1.75, r"not tried: $\eta m$ > 0.95", color="#808080")
    ax.text(0.0075, 0.55, "small: too slow to tell", color="#808080", bbox=halo)
    ax.set(xlabel=r"curvature down the saddle  $m/\lambda$", ylim=(0, 2),
           ylabel=r"learning rate  $\eta\lambda$")  # fmt: skip
    growth = measure_multiplier(np.array([0.5, 1.0]), 1.0, np.array([0.1, 0.3]))
    return [measure_escape(400), growth], fig
