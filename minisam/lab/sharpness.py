"""Sharpness, measured: top Hessian eigenvalues, trace, and the highest loss in a ball.

Two kinds of functions go in, both with the data already fixed inside:

* ``hvp``: v -> H v, the Hessian at some w times v;
* ``grad``: w -> (loss, g), as everywhere in minisam.

So every measure works on the MLP (``lambda v: net.hvp(w, X, y, v)``), on a toy problem and on a
reader's own function, on any backend. Only Lanczos visits the host: SciPy runs it there, and takes
each product from the device.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minisam.backend import Array, device, get, namespace, norm, put, unit
from minisam.checks import check_acts_on, check_between

Hvp = Callable[[Array], Array]
Grad = Callable[[Array], tuple[Array, Array]]


def _like(x: np.ndarray, w: Array) -> Array:
    """Copy a host array to the library, device and dtype of ``w``."""
    return put(x, namespace(w), device(w), str(w.dtype).rsplit(".", 1)[-1])


def _size(w: Array) -> int:
    if len(w.shape) != 1:
        raise ValueError(f"w must be one vector of weights, (n,); got shape {tuple(w.shape)}")
    return w.shape[0]


def dense_hessian(hvp: Hvp, w: Array) -> np.ndarray:
    """The Hessian as an (n, n) host array, for small n: ``hvp`` of the identity, in one call."""
    return get(hvp(_like(np.eye(_size(w)), w)))


def top_eigenvalues(
    hvp: Hvp, w: Array, k: int = 1, which: str = "LA", tol: float = 1e-6, seed: int = 0
) -> np.ndarray:
    """The ``k`` leading eigenvalues of the Hessian, by Lanczos.

    Parameters
    ----------
    hvp : callable
        v (n,) -> H v (n,).
    w : array, shape (n,)
        Where the Hessian is taken; tells size, library, device and dtype of v.
    which : {"LA", "SA", "LM"}
        Largest, smallest, or largest in magnitude.
    tol : float
        Relative accuracy asked of Lanczos; with float32 weights about 1e-6 can be had.

    Returns
    -------
    numpy.ndarray, shape (k,)
        The leading one first.

    Source: implicitly restarted Lanczos (ARPACK; Lehoucq, Sorensen and Yang 1998), as
    ``scipy.sparse.linalg.eigsh``. Where k >= n - 1 the dense Hessian is diagonalized instead.
    """
    from scipy.sparse.linalg import LinearOperator, eigsh

    n = _size(w)
    lead = {"LA": lambda x: -x, "SA": lambda x: x, "LM": lambda x: -np.abs(x)}
    if not 1 <= k <= n:
        raise ValueError(f"k must be 1 to {n}, the number of weights; got {k}")
    if which not in lead:
        raise ValueError(f"which must be one of {', '.join(lead)}; got {which!r}")
    if k >= n - 1:
        values = np.linalg.eigvalsh(dense_hessian(hvp, w).astype("float64"))
    else:
        matvec = lambda v: get(hvp(_like(v.reshape(n), w))).astype("float64")
        start = np.random.default_rng(seed).standard_normal(n)
        H = LinearOperator((n, n), matvec=matvec, dtype="float64")  # pyright: ignore
        values = eigsh(H, k, which=which, v0=start, tol=tol, return_eigenvectors=False)  # pyright: ignore
    return values[np.argsort(lead[which](values))][:k]


def trace(hvp: Hvp, w: Array, samples: int = 100, seed: int = 0) -> tuple[float, float]:
    """Hutchinson's estimate of the trace of the Hessian, and its standard error.

    tr H = E[z^T H z] for independent signs z_i = +-1; the variance is 2 sum_{i != j} H_ij^2, so
    the estimate is exact for a diagonal H.

    Source: Hutchinson 1990; signs instead of Gaussians because they have the least variance.
    """
    if samples < 2:
        raise ValueError(f"samples must be at least 2, for a standard error; got {samples}")
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (samples, _size(w)))
    values = [np.dot(z, get(hvp(_like(z, w)))) for z in signs]
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(samples))


def worst_case(
    grad: Grad, w: Array, rho: float, steps: int = 1, constraint: Array | None = None
) -> Array:
    """Worst-case sharpness ``max { L(w + eps) - L(w) : ||C^-1 eps|| <= rho }``, from below.

    Parameters
    ----------
    grad : callable
        w (..., n) -> loss (...), g (..., n).
    steps : int
        Projected ascent in the unit ball, eps = rho C z: from z = 0, z <- P(z + unit(C g(w + eps)))
        with P(z) = z / max(1, ||z||). One step gives SAM's own eps (with C, a preSAM's). More
        steps never report less: the highest loss met counts.
    constraint : array, shape (..., n), optional
        The diagonal C; the identity if left out.

    Returns
    -------
    array, shape (...)
        In units of the loss. Negative where no visited point of the ball beats w.

    Source: Foret et al. 2021. On a convex loss every step climbs, as <C g, z+ - z> >= 0 for a
    projected ascent step.
    """
    check_between("rho", rho, 0)
    if steps < 1:
        raise ValueError(f"steps must be at least 1; got {steps}")
    xp = namespace(w)
    C = xp.ones_like(w) if constraint is None else constraint
    check_acts_on(w, constraint=C)
    start, g = grad(w)
    z, highest = xp.zeros_like(w), None
    for _ in range(steps):
        z = z + unit(C * g)
        z = z / xp.clip(norm(z), min=1.0)
        loss, g = grad(w + rho * C * z)
        highest = loss if highest is None else xp.maximum(highest, loss)
    return highest - start


def adaptive_sharpness(
    grad: Grad, w: Array, rho: float, eta: float = 0.01, steps: int = 1
) -> Array:
    """ASAM's adaptive sharpness: the ball is ``||eps / (|w| + eta)|| <= rho``.

    With eta = 0 it is blind to rescalings w -> T w that leave the loss alone (a ReLU unit's
    weights up by 2 in one layer, down by 2 in the next), as C becomes |T| C. Source: Kwon et al.
    2021.
    """
    check_between("eta", eta, 0)
    return worst_case(grad, w, rho, steps, abs(w) + eta)


def m_sharpness(
    loss_and_grad: Callable[[Array, Array, Array], tuple[Array, Array]],
    w: Array,
    X: Array,
    y: Array,
    rho: float,
    m: int,
    steps: int = 1,
) -> Array:
    """m-sharpness: each shard of ``m`` examples has an eps of its own.

    sum_k (m_k / N) max { L_k(w + eps) - L_k(w) : ||eps|| <= rho }, L_k the mean loss on shard k,
    m_k its size (the last may be smaller; without the weights the mean of the L_k is not L). Never
    below ``worst_case`` on the whole set once the inner maxima are exact, since a maximum of a
    mean is at most the mean of the maxima. m = N is ``worst_case``. Source: Foret et al. 2021.

    Parameters
    ----------
    loss_and_grad : callable
        (w, X, y) -> loss (...), g (..., n), such as ``net.loss_and_grad``.
    X, y : array, shapes (N, features) and (N, ...)
        Cut into shards in the order given.
    """
    N = X.shape[0]
    if not 1 <= m <= N:
        raise ValueError(f"m must be 1 to {N}, the number of examples; got {m}")
    shards = [slice(i, min(i + m, N)) for i in range(0, N, m)]
    on = lambda s: lambda w: loss_and_grad(w, X[s, ...], y[s, ...])
    return sum((s.stop - s.start) / N * worst_case(on(s), w, rho, steps) for s in shards)
