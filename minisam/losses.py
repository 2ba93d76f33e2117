"""Losses: each function returns the value and, beside it, the derivative by the network output.

Shapes: outputs ``z`` (..., batch, k); labels ``y`` (..., batch) or targets ``y`` (..., batch, k).
A loss is the mean over the batch: (...). Leading axes are a population.
"""

from __future__ import annotations

from minisam.backend import Array, device, namespace


def softmax_cross_entropy(z: Array, y: Array) -> tuple[Array, Array]:
    """Return ``mean_b [log sum_j exp(z_bj) - z_b,y_b]`` and its derivative by ``z``.

    With ``p = softmax(z)`` the derivative is ``(p - onehot(y)) / batch``. Subtracting the largest
    logit first changes neither and keeps ``exp`` finite for logits of any size.
    """
    xp = namespace(z)
    batch, k = z.shape[-2:]
    z = z - xp.max(z, axis=-1, keepdims=True)
    p = xp.exp(z)
    total = xp.sum(p, axis=-1, keepdims=True)
    p /= total
    onehot = xp.astype(y[..., None] == xp.arange(k, device=device(z)), z.dtype)
    loss = xp.sum(xp.log(total) - xp.vecdot(onehot, z)[..., None], axis=(-2, -1)) / batch
    return loss, (p - onehot) / batch


def squared_error(z: Array, y: Array) -> tuple[Array, Array]:
    """Return ``mean_b 1/2 ||z_b - y_b||^2`` and its derivative ``(z - y) / batch`` by ``z``."""
    xp = namespace(z)
    r = z - y
    return xp.mean(xp.sum(r * r, axis=-1), axis=-1) / 2, r / z.shape[-2]


def softmax_cross_entropy_curvature(z: Array, Rz: Array) -> Array:
    """Return the second derivative of ``softmax_cross_entropy`` by ``z``, times ``Rz``.

    ``(diag(p) - p p^T) Rz / batch``, whatever the labels.
    """
    xp = namespace(z)
    e = xp.exp(z - xp.max(z, axis=-1, keepdims=True))
    p = e / xp.sum(e, axis=-1, keepdims=True)
    return p * (Rz - xp.sum(p * Rz, axis=-1, keepdims=True)) / z.shape[-2]


def squared_error_curvature(z: Array, Rz: Array) -> Array:
    """Return the second derivative of ``squared_error`` by ``z``, times ``Rz``: ``Rz / batch``."""
    return Rz / z.shape[-2]
