"""Adversarial model degradation, measured: what gradient noise costs SAM's ascent.

SAM climbs along a minibatch gradient, the loss it means to raise is the full one. Two numbers say
how far the two are apart at some w, for the eps of any method:

* the cosine of eps to the full-batch gradient (1: the ascent SAM would make without noise);
* the lost ascent, L(w + eps*) - L(w + eps), where L is the full loss and eps* = ||eps|| g / ||g||
  SAM's step along the full gradient g, of the same length. It is positive if noise cost height.

The term, and the remedy infoSAM: Zhang, Li and Giannakis, ICASSP 2025, arXiv 2501.06603.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from minisam.backend import Array, namespace, norm, unit


class Degradation(NamedTuple):
    """All of shape (...), one number per member of a population."""

    cosine: Array  # <eps, g> / (||eps|| ||g||), g the full-batch gradient; 0 where eps or g is 0
    ascent: Array  # L(w + eps) - L(w) on the full loss: what eps achieved
    possible: Array  # L(w + eps*) - L(w): what an eps* without noise achieves
    lost: Array  # possible - ascent


def degradation(full: Callable[[Array], tuple[Array, Array]], w: Array, eps: Array) -> Degradation:
    """Compare ``eps`` with the full-batch SAM step of the same length.

    Parameters
    ----------
    full : callable
        The full-batch loss and gradient, w (..., n) -> loss (...), g (..., n). It is asked three
        times.
    w, eps : array, shape (..., n)
        The weights and the perturbation that a method chose there from its minibatch, for example
        ``seen.eps`` of a training step (at the w that the step started from).
    """
    xp = namespace(w, eps)
    if eps.shape != w.shape:
        raise ValueError(f"eps must have the shape of w, {tuple(w.shape)}, got {tuple(eps.shape)}")
    loss, g = full(w)
    achieved, _ = full(w + eps)
    best, _ = full(w + norm(eps) * unit(g))
    return Degradation(
        cosine=xp.sum(unit(eps) * unit(g), axis=-1),
        ascent=achieved - loss,
        possible=best - loss,
        lost=best - achieved,
    )
