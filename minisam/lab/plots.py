"""The four pictures of a study. Each function takes its ``Outcome`` and returns a figure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from minisam.lab.statistics import interval
from minisam.lab.study import DISTANCES, Outcome, Result, Setting
from minisam.lab.style import INK, METHOD_COLORS, METHOD_NAMES, MUTED, canvas, label


def pictures(setting: Setting, outcome: Outcome) -> dict[str, Callable[[], Any]]:
    """File name of each picture, and the function that draws it."""
    return {
        "accuracy.png": lambda: accuracy(setting, outcome),
        "rho.png": lambda: radius(setting, outcome),
        "alignment.png": lambda: alignment(setting, outcome),
        "landscape.png": lambda: landscape(setting, outcome),
    }


def accuracy(setting: Setting, outcome: Outcome) -> Any:
    """Accuracy over epochs: on clean test labels, with a band, and faintly on the train labels."""
    fig, ax = canvas(9, 5.2)
    ends = {}
    for method, results in _finished(outcome.finals):
        color = METHOD_COLORS[method]
        epochs = results[0]["epoch"]
        train = np.mean(_curves(results, "train"), axis=0)
        ax.plot(epochs, train, "--", color=color, alpha=0.45, linewidth=1.3)
        ends[METHOD_NAMES[method], color] = _band(ax, epochs, _curves(results, "test"), color)
        if method == "sgd":
            ends["SGD, training", color] = train[-1]
    ax.set(
        title=f"{_share(setting)} random labels: who memorizes, who learns?",
        xlabel="epoch", ylabel="accuracy", xlim=(0, setting.epochs), ylim=(None, 1.02),
    )  # fmt: skip
    _names(ax, setting.epochs, ends)
    ax.plot([], [], color=INK, label="test images, clean labels (band: 95 % interval of the mean)")
    ax.plot([], [], "--", color=INK, alpha=0.5, linewidth=1.3, label="training images, as labelled")
    fig.legend(loc="outside lower center", ncols=2)
    return fig


def radius(setting: Setting, outcome: Outcome) -> Any:
    """Validation accuracy against rho; a dot marks the radius that was chosen."""
    fig, ax = canvas(9, 5.2)
    order = sorted(outcome.scores, key=lambda method: -max(outcome.scores[method].values()))
    for method in order:
        scores, best = outcome.scores[method], outcome.rho[method]
        color, name = METHOD_COLORS[method], METHOD_NAMES[method]
        if len(scores) == 1:
            ax.axhline(scores[best], color=color, linestyle=":", zorder=0, label=name)
            continue
        ax.plot(list(scores), list(scores.values()), ".-", color=color, label=f"{name}, {best:g}")
        ax.plot(best, scores[best], "o", color=color, markersize=11)
    ceiling = 1 - 0.9 * setting.label_noise
    ax.axhline(ceiling, color=MUTED, linewidth=1, linestyle="--")
    ax.annotate(f"a perfect classifier: {ceiling:.2f}, the share of right labels", (0, ceiling),
                (4, 3), xycoords=("axes fraction", "data"), textcoords="offset points",
                color=MUTED)  # fmt: skip
    ax.set(xscale="log", xlabel="radius rho (log scale)",
           ylabel="accuracy on noisy validation labels",
           title="How far to look? Accuracy against rho")  # fmt: skip
    ax.xaxis.set_major_formatter("{x:g}")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), labelcolor="linecolor",
              title="best rho (dot)")  # fmt: skip
    return fig


def alignment(setting: Setting, outcome: Outcome) -> Any:
    """Cosine of eps to the gradient on all training data, over epochs."""
    fig, ax = canvas(9, 5.2)
    finals = {m: results for m, results in outcome.finals.items() if m != "sgd"}
    ends = {}
    for method, results in _finished(finals):
        color, cosines = METHOD_COLORS[method], _curves(results, "cosine")
        ends[METHOD_NAMES[method], color] = _band(ax, results[0]["epoch"], cosines, color)
    ax.axhline(0, color=MUTED, linewidth=1)
    ax.set(title="Does the minibatch know which way is up?", xlabel="epoch",
           ylabel="cosine of eps to the full gradient",
           xlim=(0, setting.epochs), ylim=(None, 1))  # fmt: skip
    _names(ax, setting.epochs, ends)
    return fig


def landscape(setting: Setting, outcome: Outcome) -> Any:
    """Training loss on the line through the last weights along the last eps."""
    fig, ax = canvas(9, 5.2)
    ends = {}
    for method, results in _finished(outcome.finals):
        color, losses = METHOD_COLORS[method], _curves(results, "along")
        ends[METHOD_NAMES[method], color] = _band(ax, DISTANCES, losses, color)
    ax.set(title="What lies around the trained weights?",
           xlabel="distance from the weights, along eps (SGD: along the gradient)",
           ylabel="training loss", xlim=(DISTANCES[0], DISTANCES[-1]), ylim=(0, None))  # fmt: skip
    _names(ax, DISTANCES[-1], ends)
    return fig


def _finished(finals: dict[str, list[Result]]) -> Iterable[tuple[str, list[Result]]]:
    """Methods with the results that did not diverge, if there are any."""
    for method, results in finals.items():
        good = [result for result in results if not result["diverged"]]
        if good:
            yield method, good


def _curves(results: list[Result], name: str) -> np.ndarray:
    return np.array([result[name] for result in results])


def _band(ax: Any, x: Any, curves: np.ndarray, color: str) -> float:
    """Draw mean and interval over the first axis; return where the mean ends."""
    mean, half = interval(curves)
    ax.plot(x, mean, color=color)
    if len(curves) > 1:
        ax.fill_between(x, mean - half, mean + half, color=color, alpha=0.15, linewidth=0)
    return mean[-1]


def _names(ax: Any, x: float, ends: dict[tuple[str, str], float], gap: float = 0.055) -> None:
    """Write names right of the curves' ends, {(text, color): y}, apart where they would overlap."""
    if not ends:
        return
    low, high = ax.get_ylim()
    step = gap * (high - low)
    names = sorted(ends, key=ends.__getitem__)
    places = np.array([ends[name] for name in names])
    for _ in range(200):
        overlap = np.maximum(step - np.diff(places), 0) / 2
        places[:-1] -= overlap
        places[1:] += overlap
    places += max(low - places[0], 0)
    for (text, color), y in zip(names, places, strict=True):
        label(ax, x, y, text, color, annotation_clip=False)


def _share(setting: Setting) -> str:
    return f"{100 * setting.label_noise:g} %"
