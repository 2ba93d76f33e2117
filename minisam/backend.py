"""The only file that knows array libraries.

Everything else in minisam is written against the Python array API standard
(https://data-apis.org/array-api), so the same line runs on NumPy (CPU), CuPy (GPU), PyTorch
tensors and array-api-strict. This file holds what the standard leaves open: which library an
array belongs to, where it lives, how random numbers get there, and a norm that neither over- nor
underflows.
"""

from __future__ import annotations

from typing import Any

import array_api_compat
import numpy as np

Array = Any  # an array of any library that follows the standard; shapes are given in docstrings


def namespace(*arrays: Array) -> Any:
    """Return the array-API namespace shared by ``arrays``, conventionally called ``xp``.

    Raises
    ------
    TypeError
        If the arrays belong to different libraries, or are no arrays at all.
    """
    return array_api_compat.array_namespace(*arrays)


def device(x: Array) -> Any:
    """Return the device on which ``x`` lives."""
    return array_api_compat.device(x)


def on_host(x: Array) -> bool:
    """Whether looking at the values of ``x`` is free, that is, whether it is a NumPy array."""
    return isinstance(x, np.ndarray)


def put(x: np.ndarray, xp: Any = np, device: Any = None, dtype: Any = None) -> Array:
    """Copy a host array to library ``xp`` (a module such as ``numpy`` or ``cupy``) and ``device``.

    ``dtype`` is a name such as ``"float32"``; by default the dtype of ``x`` is kept.
    """
    x = np.asarray(x)
    xp = array_api_compat.array_namespace(xp.empty(0))
    dtype = getattr(xp, str(dtype or x.dtype))
    return xp.asarray(x.astype(str(dtype).rsplit(".", 1)[-1]), dtype=dtype, device=device)


def get(x: Array) -> np.ndarray:
    """Copy ``x`` back to the host, as a NumPy array."""
    if array_api_compat.is_cupy_array(x):
        return x.get()
    return np.asarray(x)


def normal(seed: int, shape: tuple[int, ...], scale: float = 1.0) -> np.ndarray:
    """Draw N(0, scale^2) numbers on the host: one seed is one run on every backend."""
    return scale * np.random.default_rng(seed).standard_normal(shape)


def _scaled(u: Array) -> tuple[Array, Array, Array]:
    """Return ``m = max|u|``, ``u / m`` and its norm; all ones where ``u`` is zero."""
    xp = namespace(u)
    m = xp.max(xp.abs(u), axis=-1, keepdims=True)
    u = u / xp.where(m > 0, m, xp.ones_like(m))
    return m, u, xp.sqrt(xp.sum(u * u, axis=-1, keepdims=True))


def norm(u: Array) -> Array:
    """Euclidean norm over the last axis, kept as an axis of length one: (..., n) -> (..., 1).

    The entries are divided by the largest one first, ``m * ||u / m||``: squares of 1e-170 or
    1e+200 would be 0 and inf.
    """
    m, _, length = _scaled(u)
    return m * length


def unit(u: Array) -> Array:
    """Return ``u / ||u||`` over the last axis, and 0 where ``u`` is 0.

    No small constant in the denominator: it would shrink the result for small ``u``. Scaling by
    ``max|u|`` makes ``unit(2**k * u)`` equal ``unit(u)`` bit by bit.
    """
    xp = namespace(u)
    m, u, length = _scaled(u)
    return u / xp.where(m > 0, length, xp.ones_like(m))
