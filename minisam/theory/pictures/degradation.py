"""Adversarial model degradation in a real training: how far minibatch noise turns the ascent."""

import numpy as np

from minisam.backend import put, unit
from minisam.lab.data import load
from minisam.lab.degradation import degradation
from minisam.lab.style import METHOD_COLORS, MUTED, canvas, label
from minisam.lab.train import fetch, train
from minisam.mlp import MLP
from minisam.preconditioners import Diagonal
from minisam.presam import SAM, PreSAM
from minisam.theory import Comparison
from minisam.theory.alignment import alignment, noise_weighting_gain

NET, RHO, BATCH, DRAWS, FEW = MLP((64, 32, 10)), 0.1, 64, 100, 10
NAMES = {"sam": "SAM", "info": "weights of InfoSAM"}


def gradients(w, X, y):
    """The gradient of every example, on the host: (N, n)."""
    return fetch(NET.loss_and_grad(w[None, :], X[:, None, :], y[:, None])[1]).astype("float64")


def show(xp):
    data, rng = load("digits", label_noise=0.5).to(xp), np.random.default_rng(0)
    X, y = data.train
    N, epochs, gains, seen = X.shape[0], [], [], {name: [] for name in NAMES}
    for record in train(NET, data, SAM(RHO), epochs=30, every=5):
        w = record.checkpoint.w
        g = gradients(w, X, y)
        mu, s = g.mean(0), np.sqrt(g.var(0) * (N - BATCH) / (N - 1) / BATCH)
        picks = [rng.choice(N, BATCH, replace=False) for _ in range(DRAWS)]
        g = put(np.stack([g[pick].mean(0) for pick in picks]), xp, dtype="float32")
        w = xp.broadcast_to(w, g.shape)
        for name, d in {"sam": np.ones_like(s), "info": 1 / (s**2 + np.mean(s**2))}.items():
            D = Diagonal(put(d / np.mean(d), xp, dtype="float32"))
            eps, _ = PreSAM(RHO, objective=D).perturb(w, g, None)
            cosine = fetch(unit(eps)) @ unit(mu)
            lost = degradation(lambda w: NET.loss_and_grad(w, X, y), w[:FEW, :], eps[:FEW, :])
            ascent, possible = fetch(lost.ascent), fetch(lost.possible).mean()
            seen[name].append((
                alignment(d, mu, s), cosine.mean(), cosine.std() / np.sqrt(DRAWS),
                ascent.mean() / possible, ascent.std() / np.sqrt(FEW) / possible,
            ))  # fmt: skip
        alive = s > 0  # not of a pixel that is always black
        gains.append(noise_weighting_gain(mu[alive], s[alive]))
        epochs.append(record.epoch)

    fig, (left, right) = canvas(12.5, 5, 1, 2, sharey=True)
    left.set_title(
        "In training, noise turns the ascent off\nthe full gradient, as far as predicted"
    )
    right.set_title("Most of the ascent that SAM would\nmake without noise is lost (measured)")
    rows = []
    for name, text in NAMES.items():
        predicted, cosine, error, share, share_error = np.transpose(seen[name])
        color = METHOD_COLORS[name]
        left.plot(epochs, predicted, color=color)
        left.errorbar(epochs, cosine, 2 * error, fmt="o", color=color, ms=7, lw=1.2)
        right.errorbar(epochs, share, 2 * share_error, fmt="o-", color=color, ms=6, elinewidth=1.2)
        label(left, epochs[-1], predicted[-1], text, color, dy=9 if name == "sam" else -9)
        label(right, epochs[-1], share[-1], text, color)
        rows.append(Comparison(f"cosine to the full gradient, {text}", predicted, cosine))
        rows.append(Comparison(f"ascent / ascent without noise, {text}", None, share))
    helps = np.array(gains) > 0
    better = [info[1] > sam[1] for info, sam in zip(seen["info"], seen["sam"], strict=True)]
    rows.append(Comparison("share of epochs where weights help", helps.mean(), np.mean(better)))
    if helps.any() and not helps.all():
        turn = (epochs[helps.argmax()] + epochs[helps.argmax() - 1]) / 2
        left.plot([turn, turn], [0, 0.5], color=MUTED, lw=1, ls=":")
        label(left, turn, 0.47, "predicted: weights\nhelp from here", MUTED, dx=6)
    left.text(0.03, 0.93, "lines: predicted    dots: measured", transform=left.transAxes)
    left.set(xlabel="epoch", ylabel="cosine of eps to the full gradient", ylim=(0, 0.6),
             xlim=(0, 45), xticks=[0, 10, 20, 30])  # fmt: skip
    right.set(xlabel="epoch", ylabel="ascent / ascent without noise", xlim=(0, 45),
              xticks=[0, 10, 20, 30])  # fmt: skip
    return rows, fig
