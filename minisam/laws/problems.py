"""Problems behind the oracle, each a gradient function ``w -> g`` of one minibatch.

All keep the dtype of w. Shapes: w, g, b (n,), A (n, n).
"""

from __future__ import annotations

import numpy as np

from .oracle import Gradient, Vector


def linear(g: Vector) -> Gradient:
    """f(w) = <g, w>: the same gradient everywhere."""
    return lambda w: g.astype(w.dtype)


def scripted(w0: Vector, g: Vector, h: Vector) -> Gradient:
    """Gradient g at w0 itself, bit by bit, and h everywhere else.

    It tells the two passes of a step apart whatever the perturbation is.
    """
    return lambda w: (g if np.array_equal(w, w0) else h).astype(w.dtype)


def quadratic(A: Vector, b: Vector) -> Gradient:
    """f(w) = w'Aw/2 - b'w with a diagonal (n,) or a symmetric dense (n, n) A."""

    def gradient(w: Vector) -> Vector:
        return ((A @ w if A.ndim == 2 else A * w) - b).astype(w.dtype)

    return gradient


def noisy_quadratic(A: Vector, b: Vector, scales: Vector, seed: int, batch: int) -> Gradient:
    """A quadratic whose minibatches add noise N(0, diag(scales^2)) to the gradient.

    The noise depends on ``seed`` and ``batch`` alone: one minibatch is one function.
    """
    noise = scales * np.random.default_rng((seed, batch)).standard_normal(b.shape)
    return quadratic(A, b - noise)


def least_squares(a: Vector, b: float) -> Gradient:
    """f(w) = (<a, w> - b)^2 / 2, one example of linear regression."""
    return lambda w: ((a @ w - b) * a).astype(w.dtype)


def two_layer_size(features: int, hidden: int) -> int:
    """Number of weights of `two_layer`: W1, b1 and W2."""
    return hidden * features + hidden + hidden


def two_layer(features: int, hidden: int, X: Vector, y: Vector) -> Gradient:
    """Squared error of a tiny ReLU network w -> W2 relu(W1 x + b1), averaged over examples.

    w is (W1, b1, W2) in one vector, n = `two_layer_size`; X (batch, features), y (batch,). The
    loss does not change when the weights into a hidden unit, its bias among them, are multiplied
    by a > 0 and the weight out of it is divided by a.
    """
    k = hidden * features

    def gradient(w: Vector) -> Vector:
        W1, b1, W2 = w[:k].reshape(hidden, features), w[k : k + hidden], w[k + hidden :]
        Z = X @ W1.T + b1
        R = np.maximum(Z, 0) @ W2 - y
        dZ = np.outer(R, W2) * (Z > 0) / len(y)
        return np.concatenate(
            [(dZ.T @ X).ravel(), dZ.sum(0), np.maximum(Z, 0).T @ R / len(y)]
        ).astype(w.dtype)

    return gradient
