"""The only file that knows array libraries.

Everything else in minisam is written against the Python array API standard
(https://data-apis.org/array-api), so the same line runs on NumPy (CPU), CuPy (GPU), PyTorch
tensors and array-api-strict. This file holds what the standard leaves open: which library an
array belongs to, where it lives, how random numbers get there, and a norm that neither over- nor
underflows.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from types import ModuleType
from typing import Any

import array_api_compat
import numpy as np

Array = Any  # an array of any library that follows the standard; shapes are given in docstrings


def _lean_numpy() -> ModuleType:
    """Return NumPy, its commonest functions without NumPy's own layers of Python around them.

    The results are the same, bit by bit; a step of a small network takes a seventh less time.
    """
    lean = ModuleType("numpy")
    lean.__dict__.update(
        vars(np),
        sum=lambda x, axis=None, **options: np.add.reduce(x, axis, **options),
        max=lambda x, axis=None, **options: np.maximum.reduce(x, axis, **options),
        astype=lambda x, dtype, *, copy=True: x.astype(dtype, copy=copy),
        reshape=lambda x, shape: x.reshape(shape),
    )
    return lean


LEAN_NUMPY = _lean_numpy()  # follows the array API standard by itself, from NumPy 2.1 on


def namespace(*arrays: Array) -> Any:
    """Return the array-API namespace shared by ``arrays``, conventionally called ``xp``.

    Raises
    ------
    TypeError
        If the arrays belong to different libraries, or are no arrays at all.
    """
    if {*map(type, arrays)} == {np.ndarray}:
        return LEAN_NUMPY
    xp = array_api_compat.array_namespace(*arrays)
    return LEAN_NUMPY if any(map(on_host, arrays)) else xp


def device(x: Array) -> Any:
    """Return the device on which ``x`` lives."""
    return x.device if on_host(x) else array_api_compat.device(x)


def on_host(x: Array) -> bool:
    """Whether looking at the values of ``x`` is free: a NumPy array or scalar."""
    return isinstance(x, (np.ndarray, np.generic))


def is_kind(x: Array, kind: str) -> bool:
    """Whether the dtype of ``x`` is of ``kind`` "real floating" or "integral"."""
    if on_host(x):  # as isdtype, ten times as fast
        return x.dtype.kind in {"real floating": "f", "integral": "iu"}[kind]
    return namespace(x).isdtype(x.dtype, kind)


def put(x: np.ndarray, xp: Any = np, device: Any = None, dtype: Any = None) -> Array:
    """Copy a host array to library ``xp`` (a module such as ``numpy`` or ``cupy``) and ``device``.

    ``dtype`` is a name such as ``"float32"``; by default the dtype of ``x`` is kept.
    """
    xp = array_api_compat.array_namespace(xp.empty(0))
    return xp.asarray(x.astype(dtype or x.dtype), device=device)


def get(x: Array) -> np.ndarray:
    """Return the values of ``x`` as a NumPy array (``x`` itself if it is one)."""
    if on_host(x):
        return x
    return x.get() if array_api_compat.is_cupy_array(x) else np.from_dlpack(x, device="cpu").copy()


def normal(seed: int, shape: tuple[int, ...], scale: float = 1.0) -> np.ndarray:
    """Draw N(0, scale^2) numbers on the host: one seed is one run on every backend."""
    return scale * np.random.default_rng(seed).standard_normal(shape)


def _sum_of_squares(u: Array) -> Array:
    """Return ``sum u^2`` (..., 1), in pieces: BLAS adds in float32, and its error grows with n."""
    if not on_host(u):
        return namespace(u).vecdot(u, u)[..., None]
    pieces = (u[..., i : i + 2**16] for i in range(0, u.shape[-1], 2**16))
    return np.asarray(sum(np.vecdot(p, p) for p in pieces))[..., None]


@np.errstate(over="ignore")
def _plain_norm(u: Array) -> Array | None:
    """Return ``||u||`` (..., 1) by its plain formula, unless a square may over- or underflow.

    One pass over the memory instead of three. On the host only: a look may stall a GPU.
    """
    if on_host(u):
        length = np.sqrt(_sum_of_squares(u))
        if length.min() > 2.0**-30 and length.max() < 2.0**60:
            return length
    return None


def _scaled(u: Array) -> tuple[Array, Array, Array]:
    """Return ``m = max|u|``, ``u / m`` and ``||u / m||``, with ``m = 1`` where ``u`` is zero.

    On the host ``m`` is the power of two below: dividing by it rounds nothing, so that the result
    has the bits of the plain formula.
    """
    xp = namespace(u)
    m = xp.max(xp.abs(u), axis=-1, keepdims=True)
    if on_host(u):
        m = np.where(m > 0, np.ldexp(np.ones_like(m), np.frexp(m)[1] - 1), m)
    m = xp.where(m > 0, m, xp.ones_like(m))
    u = u / m
    return m, u, xp.sqrt(_sum_of_squares(u))


def norm(u: Array) -> Array:
    """Euclidean norm over the last axis, kept as an axis of length one: (..., n) -> (..., 1).

    The entries are divided by the largest one first, ``m * ||u / m||``: squares of 1e-170 or
    1e+200 would be 0 and inf.
    """
    length = _plain_norm(u)
    if length is None:
        m, _, length = _scaled(u)
        length = m * length
    return length


def unit(u: Array, length: Any = 1.0) -> Array:
    """Return ``length * u / ||u||`` over the last axis, and 0 where ``u`` is 0.

    No small constant in the denominator: it would shrink the result for small ``u``. Scaling by
    ``max|u|`` makes ``unit(2**k * u)`` equal ``unit(u)`` bit by bit.
    """
    norm = _plain_norm(u)
    if norm is not None:
        return length / norm * u
    _, u, norm = _scaled(u)
    xp, one = namespace(u), namespace(u).ones_like(norm)
    return one * length / xp.where(norm > 0, norm, one) * u


def reuse_memory() -> bool:
    """Make this process keep large freed arrays for the next ones; return whether it worked.

    By default the C library of Linux hands every large array back to the system, which fills the
    next one with zeros, page by page: for large models that takes as long as the arithmetic.
    Called by command line and benchmarks, never on import. On a GPU, CuPy's pool does the same.
    """
    try:
        libc = ctypes.CDLL("libc.so.6")
        trim_threshold, mmap_threshold = -1, -3
        return bool(libc.mallopt(mmap_threshold, 1 << 30) & libc.mallopt(trim_threshold, 2**31 - 1))
    except (OSError, AttributeError):
        return False


def write(out: Array, function: Callable, *arrays: Array, **axis: Any) -> None:
    """Write ``function(*arrays)`` into ``out``, a view of a larger array.

    Without a temporary array if the library knows ``out=``, as NumPy and CuPy do.
    """
    if on_host(out) or array_api_compat.is_cupy_array(out):
        function(*arrays, out=out, **axis)
    else:
        out[...] = function(*arrays, **axis)
