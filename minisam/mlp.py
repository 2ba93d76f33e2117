"""A multi-layer perceptron with backpropagation by hand.

All parameters are one flat vector ``w``: W1, b1, W2, b2, ...; the layers are views of it. Forward
and backward stand next to each other, and every line of one mirrors a line of the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Any

import numpy as np

from minisam import backend, checks
from minisam.backend import Array, namespace
from minisam.losses import (
    softmax_cross_entropy,
    softmax_cross_entropy_curvature,
    squared_error,
    squared_error_curvature,
)

LOSSES = {"softmax": softmax_cross_entropy, "mse": squared_error}
CURVATURES = {"softmax": softmax_cross_entropy_curvature, "mse": squared_error_curvature}

# name: a = phi(z), and the derivative d * phi'(z) written in the output a
ACTIVATIONS = {
    "relu": (
        lambda xp, z: xp.maximum(z, xp.zeros_like(z)),
        lambda xp, a, d: d * xp.astype(a > 0, d.dtype),
    ),
    "tanh": (lambda xp, z: xp.tanh(z), lambda xp, a, d: d * (1 - a * a)),
    "identity": (lambda xp, z: z, lambda xp, a, d: d),
}

# name: d times the change of phi'(z) when a changes by Ra; 0 where phi does not bend
BENDS = {
    "relu": lambda a, Ra, d: 0,
    "tanh": lambda a, Ra, d: -2 * a * Ra * d,
    "identity": lambda a, Ra, d: 0,
}


@dataclass(frozen=True)
class MLP:
    """The network ``a_l = phi(a_{l-1} W_l + b_l)``, linear in its last layer.

    Parameters
    ----------
    sizes
        Number of inputs, of units in each hidden layer, and of outputs: ``(64, 128, 128, 10)``.
    activation
        ``"relu"``, ``"tanh"`` or ``"identity"``.
    loss
        ``"softmax"`` (cross-entropy, integer labels) or ``"mse"`` (squared error, targets).

    Notes
    -----
    The object holds the architecture only. Parameters ``w`` have shape (..., n), inputs ``X``
    (..., batch, features); leading axes are a population of independent networks and broadcast.
    """

    sizes: tuple[int, ...]
    activation: str = "relu"
    loss: str = "softmax"

    def __post_init__(self):
        object.__setattr__(self, "sizes", tuple(self.sizes))
        if len(self.sizes) < 2 or not all(isinstance(s, Integral) and s > 0 for s in self.sizes):
            raise ValueError(f"sizes must be two or more positive integers, got {self.sizes}")
        checks.check_choice("activation", self.activation, ACTIVATIONS)
        checks.check_choice("loss", self.loss, LOSSES)

    @cached_property
    def n(self) -> int:
        """Number of parameters."""
        return sum((p + 1) * q for p, q in zip(self.sizes, self.sizes[1:], strict=False))

    def layers(self, w: Array) -> list[tuple[Array, Array]]:
        """Return the views ``(W_l, b_l)`` of ``w``, of shapes (..., p, q) and (..., q)."""
        xp, lead = namespace(w), w.shape[:-1]
        views, start = [], 0
        for p, q in zip(self.sizes, self.sizes[1:], strict=False):
            stop = start + p * q
            W, b = w[..., start:stop], w[..., stop : stop + q]
            views.append((xp.reshape(W, (*lead, p, q)), b))
            start = stop + q
        return views

    def init(
        self,
        seed: int,
        xp: Any = np,
        dtype: str = "float32",
        device: Any = None,
        lead: tuple[int, ...] = (),
    ) -> Array:
        """Draw initial parameters: W ~ N(0, s^2), b = 0.

        ``s^2 = 2 / p`` for relu (He et al. 2015), else ``s^2 = 2 / (p + q)`` (Glorot & Bengio
        2010), for a layer of p inputs and q outputs. The numbers are drawn on the host: one seed
        gives one network on every backend.

        Parameters
        ----------
        seed
            Member i of a population is the network of seed ``seed + i``.
        xp, dtype, device
            Array library (``numpy``, ``cupy``, ``torch``), ``"float32"`` or ``"float64"``, and
            where to put the array.
        lead
            Shape of the population; ``()`` is one network.
        """
        checks.check_choice("dtype", dtype, ("float32", "float64"))
        members = math.prod(lead)
        w = np.zeros((members, self.n))
        for i in range(members):
            rng = np.random.default_rng(seed + i)
            for W, _ in self.layers(w[i]):
                p, q = W.shape
                scale = math.sqrt(2 / p if self.activation == "relu" else 2 / (p + q))
                W[...] = scale * rng.standard_normal((p, q))
        return backend.put(w.reshape(*lead, self.n), xp, device, dtype)

    def forward(self, w: Array, X: Array) -> list[Array]:
        """Return the output of every layer, ``[a_0 = X, a_1, ..., a_L]``."""
        xp = namespace(w, X)
        phi, _ = ACTIVATIONS[self.activation]
        a = [X]
        for W, b in self.layers(w):
            z = a[-1] @ W
            z += b[..., None, :]
            a.append(phi(xp, z) if len(a) < len(self.sizes) - 1 else z)
        return a

    def __call__(self, w: Array, X: Array) -> Array:
        """Return the outputs (logits) for inputs ``X``: (..., batch, k)."""
        self._check(w, X)
        return self.forward(w, X)[-1]

    def loss_and_grad(self, w: Array, X: Array, y: Array) -> tuple[Array, Array]:
        """Return the loss (...) and its gradient by ``w`` (..., n), by backpropagation.

        With ``d_l`` the derivative of the loss by ``a_{l-1} W_l + b_l``::

            dW_l = a_{l-1}^T d_l,   db_l = sum_batch d_l,   d_{l-1} = (d_l W_l^T) phi'

        (Rumelhart, Hinton & Williams 1986).

        Raises
        ------
        ValueError
            If shapes do not match, the batch is empty, a label is out of range (looked at on the
            host only: on a GPU a look would stall it), or ``w`` is not of a floating dtype.
        """
        self._check(w, X, y)
        xp = namespace(w, X)
        _, back = ACTIVATIONS[self.activation]
        a = self.forward(w, X)
        loss, d = LOSSES[self.loss](a[-1], y)
        g = xp.empty((*loss.shape, self.n), dtype=w.dtype, device=backend.device(w))
        ws, gs = self.layers(w), self.layers(g)
        for l in reversed(range(len(gs))):
            (W, _), (dW, db) = ws[l], gs[l]
            backend.write(dW, xp.matmul, a[l].mT, d)
            backend.write(db, xp.sum, d, axis=-2)
            if l > 0:
                d = back(xp, a[l], d @ W.mT)
        return loss, g

    def hvp(self, w: Array, X: Array, y: Array, v: Array) -> Array:
        """Return the Hessian of the loss at ``w`` times ``v``, exactly, (..., n).

        ``R{f} = d/dt f(w + t v)`` at t = 0, applied to every line of ``loss_and_grad``; with V, c
        the layers of ``v`` as W, b are those of ``w``::

            R{a_l}     = phi' (R{a_{l-1}} W_l + a_{l-1} V_l + c_l)
            R{dW_l}    = a_{l-1}^T R{d_l} + R{a_{l-1}}^T d_l,   R{db_l} = sum_batch R{d_l}
            R{d_{l-1}} = (R{d_l} W_l^T + d_l V_l^T) phi' + (d_l W_l^T) phi'' R{z_{l-1}}

        (Pearlmutter 1994). It costs two to three gradients. Leading axes of ``v`` broadcast against
        those of ``w``: ``v`` = identity gives the whole Hessian. For relu it is the Hessian of the
        linear piece that ``w`` lies in.
        """
        self._check(w, X, y)
        checks.check_same_home(w=w, v=v)
        if v.shape[-1:] != (self.n,) or v.dtype != w.dtype:
            raise ValueError(
                f"v must have shape (..., {self.n}) and the dtype of w, {w.dtype}, "
                f"got {tuple(v.shape)} and {v.dtype}"
            )
        xp = namespace(w, X)
        _, back = ACTIVATIONS[self.activation]
        ws, vs = self.layers(w), self.layers(v)
        a = self.forward(w, X)
        Ra: list[Any] = [None]  # R{X} = 0: the data do not move
        for l, ((W, _), (V, c)) in enumerate(zip(ws, vs, strict=True)):
            Rz = a[l] @ V + c[..., None, :]
            Rz = Rz + Ra[l] @ W if l > 0 else Rz
            Ra.append(back(xp, a[l + 1], Rz) if l + 1 < len(ws) else Rz)
        loss, d = LOSSES[self.loss](a[-1], y)
        Rd = CURVATURES[self.loss](a[-1], Ra[-1])
        lead = np.broadcast_shapes(loss.shape, v.shape[:-1])
        Hv = xp.empty((*lead, self.n), dtype=w.dtype, device=backend.device(w))
        for l, (RdW, Rdb) in reversed(list(enumerate(self.layers(Hv)))):
            (W, _), (V, _) = ws[l], vs[l]
            RdW[...] = xp.matrix_transpose(a[l]) @ Rd
            Rdb[...] = xp.sum(Rd, axis=-2)
            if l > 0:
                RdW[...] = RdW + xp.matrix_transpose(Ra[l]) @ d
                Rd = Rd @ xp.matrix_transpose(W) + d @ xp.matrix_transpose(V)
                d = d @ xp.matrix_transpose(W)
                Rd = back(xp, a[l], Rd) + BENDS[self.activation](a[l], Ra[l], d)
                d = back(xp, a[l], d)
        return Hv

    def _check(self, w: Array, X: Array, y: Array | None = None) -> None:
        checks.check_same_home(w=w, X=X, **({} if y is None else {"y": y}))
        checks.check_floating("w", w)
        if w.shape[-1:] != (self.n,):
            raise ValueError(f"w must have shape (..., {self.n}), got {tuple(w.shape)}")
        if X.ndim < 2 or X.shape[-1] != self.sizes[0] or X.shape[-2] == 0:
            raise ValueError(
                f"X must have shape (..., batch >= 1, {self.sizes[0]}), got {tuple(X.shape)}"
            )
        checks.check_same_dtype(w=w, X=X)
        checks.check_populations(w=w.shape[:-1], X=X.shape[:-2])
        if y is None:
            return
        k = self.sizes[-1]
        wanted = (X.shape[-2],) if self.loss == "softmax" else (X.shape[-2], k)
        if tuple(y.shape[-len(wanted) :]) != wanted:
            raise ValueError(
                f"y must have shape (..., {', '.join(map(str, wanted))}), got {tuple(y.shape)}"
            )
        if self.loss == "mse":
            checks.check_same_dtype(w=w, y=y)
        elif not backend.is_kind(y, "integral"):
            raise ValueError(f"y must hold integer labels, got dtype {y.dtype}")
        elif backend.on_host(y) and (y.min() < 0 or y.max() >= k):
            raise ValueError(f"y must hold labels 0 ... {k - 1}, got {y.min()} ... {y.max()}")
