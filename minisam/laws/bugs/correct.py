"""The rows of the family once more, as short as they get: the correct side of every bug.

NumPy vectors, plain gradient descent, running averages in the closure. Each function is a FACTORY
of the kit: ``factory(rho, lr, **hyper) -> step`` and ``step(w, grad) -> next w``. All of them say

    eps = rho C^2 D g / ||C D g|| = rho C unit(C D g),      w+ = w - lr grad(w + eps)

and share no line with the method they are compared with.
"""

import numpy as np


def norm(u):
    """Euclidean length; dividing by the largest entry first, as the square of 1e-170 is 0."""
    m = abs(u).max(initial=0)
    return m * np.linalg.norm(u / m) if m > 0 else m


def unit(u):
    """``u / ||u||``, and 0 where ``u`` is 0."""
    return u / norm(u) if norm(u) > 0 else u


def sam(rho, lr):
    """SAM (Foret et al. 2021): C = D = I."""

    def step(w, grad):
        g = grad(w)
        eps = rho * unit(g)
        h = grad(w + eps)
        return w - lr * h

    return step


def sam_heavy_ball(rho, lr, momentum=0.0, weight_decay=0.0):
    """SAM around a base optimizer with momentum and weight decay, both at w."""
    m = 0.0

    def step(w, grad):
        nonlocal m
        g = grad(w)
        eps = rho * unit(g)
        h = grad(w + eps) + weight_decay * w
        m = momentum * m + h
        return w - lr * m

    return step


def asam(rho, lr, eta=0.01):
    """ASAM (Kwon et al. 2021): C = |w| + eta, on biases too."""

    def step(w, grad):
        g = grad(w)
        c = abs(w) + eta
        eps = rho * c * unit(c * g)
        h = grad(w + eps)
        return w - lr * h

    return step


def fisher(rho, lr, eta=1.0):
    """FisherSAM (Kim et al. 2022): C = (1 + eta F)^(-1/2), F = g^2."""

    def step(w, grad):
        g = grad(w)
        c = (1 + eta * g**2) ** -0.5
        eps = rho * c * unit(c * g)
        h = grad(w + eps)
        return w - lr * h

    return step


def vasso(rho, lr, theta=0.1):
    """VaSSO (Li and Giannakis 2023): D g = d, an average; theta weighs the new gradient."""
    d = None

    def step(w, grad):
        nonlocal d
        g = grad(w)
        d = g if d is None else (1 - theta) * d + theta * g
        eps = rho * unit(d)
        h = grad(w + eps)
        return w - lr * h

    return step


def friendly(rho, lr, sigma=1.0, lmbda=0.9):
    """FriendlySAM (Li et al. 2024): D g = g - sigma m, m the average of the gradients before."""
    m = None

    def step(w, grad):
        nonlocal m
        g = grad(w)
        d = g if m is None else g - sigma * m
        m = g if m is None else lmbda * m + (1 - lmbda) * g
        eps = rho * unit(d)
        h = grad(w + eps)
        return w - lr * h

    return step


def sparse(rho, lr, mask=1):
    """SparseSAM (Mi et al. 2022): D = mask."""

    def step(w, grad):
        g = grad(w)
        eps = rho * unit(mask * g)
        h = grad(w + eps)
        return w - lr * h

    return step


def info(rho, lr, theta=0.1, delta=1.0, power=2.0):
    """InfoSAM (Zhang, Li, Giannakis 2025): D = (v + delta mean v)^(-power/2), v the noise of g.

    d and v are the exponentially weighted mean and variance of the gradients so far; the mean of
    v runs over coordinates that have any noise; D = I while there is none.
    """
    d, v = None, 0.0

    def step(w, grad):
        nonlocal d, v
        g = grad(w)
        d = g if d is None else d
        r = g - d
        v = (1 - theta) * (v + theta * r**2)
        d = (1 - theta) * d + theta * g
        noise = v + delta * mean(v[v > 0])
        weight = np.where(noise > 0, noise, 1) ** (-power / 2)
        eps = rho * unit(weight * g)
        h = grad(w + eps)
        return w - lr * h

    return step


def mean(v):
    return v.mean() if v.size else 0


def presam(rho, lr, D, C):
    """The general row, D and C diagonals (vectors) or dense matrices: eps = rho C unit(C' D g)."""

    def step(w, grad):
        g = grad(w)
        eps = rho * times(C, unit(times(C.T, times(D, g))))
        h = grad(w + eps)
        return w - lr * h

    return step


def times(A, u):
    return A @ u if A.ndim == 2 else A * u


CLAIM = {
    sam: "sam",
    sam_heavy_ball: "sam",
    asam: "asam",
    fisher: "fisher",
    vasso: "vasso",
    friendly: "friendly",
    sparse: "sparse",
    info: "info",
    presam: "presam",
}
