"""Run an optimizer on a toy and keep every iterate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import repeat
from typing import Any

import numpy as np

Oracle = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # w -> (loss, g)


def trajectory(
    opt: Any,
    x: np.ndarray,
    grads: Iterable[Oracle],
    lrs: Iterable[Any] = repeat(None),
    rhos: Iterable[Any] = repeat(None),
) -> np.ndarray:
    """Return the iterates ``x_0, x_1, ...`` of ``opt`` stacked: (steps + 1, ..., n).

    Parameters
    ----------
    opt
        A `minisam.SharpnessAware`, or anything with its ``init`` and ``step``.
    x
        The starting points, (..., n).
    grads
        One oracle ``w -> (loss, g)`` for each step. ``[problem.loss_and_grad] * steps`` is a
        deterministic run, ``(problem.draw(rng, x) for _ in range(steps))`` a stochastic one.
    lrs, rhos
        Learning rate and radius of each step: a schedule, or ``itertools.repeat(lr)`` with lr of
        shape (S, 1), one for each member of a population. None leaves what ``opt`` has.
    """
    state, path = opt.init(x), [x]
    for grad, lr, rho in zip(grads, lrs, rhos, strict=False):
        x, state, _ = opt.step(x, grad, state, lr, rho)
        path.append(x)
    return np.stack(path)
