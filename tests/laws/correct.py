"""The seven correct rows and presam, each in the most ordinary way, for the kit to acquit."""

import numpy as np


def scaled_norm(u):
    m = np.max(np.abs(u))
    return m * np.sqrt(np.sum((u / m) ** 2)) if m > 0 else m


def step_with(perturb, rho, lr):
    """``perturb(w, g) -> (v, C)``, with its averages in its closure."""

    def step(w, grad):
        v, C = perturb(w, grad(w))
        dense = np.ndim(C) == 2
        u = C.T @ v if dense else C * v
        N = scaled_norm(u)
        ascent = C @ u if dense else C * u
        eps = rho * (ascent / N) if N > 0 else np.zeros_like(w)
        return w - lr * grad((w + eps).astype(w.dtype))

    return step


def one(w):
    return np.ones_like(w)


def sam(rho, lr):
    return step_with(lambda w, g: (g, one(w)), rho, lr)


def asam(rho, lr, eta):
    return step_with(lambda w, g: (g, np.abs(w) + eta), rho, lr)


def fisher(rho, lr, eta):
    return step_with(lambda w, g: (g, 1 / np.sqrt(1 + eta * g * g)), rho, lr)


def averaging(theta):
    d = None

    def average(g):
        nonlocal d
        d = g if d is None else (1 - theta) * d + theta * g
        return d

    return average


def vasso(rho, lr, theta):
    average = averaging(theta)
    return step_with(lambda w, g: (average(g), one(w)), rho, lr)


def without_average(sigma, lmbda):
    m = None

    def direction(g):
        nonlocal m
        v = g if m is None else g - sigma * m
        m = g if m is None else lmbda * m + (1 - lmbda) * g
        return v

    return direction


def friendly(rho, lr, sigma, lmbda):
    direction = without_average(sigma, lmbda)
    return step_with(lambda w, g: (direction(g), one(w)), rho, lr)


def sparse(rho, lr, mask):
    return step_with(lambda w, g: (mask * g, one(w)), rho, lr)


def weighing(theta, delta, power):
    d = v = None

    def weigh(g):
        nonlocal d, v
        if d is None:
            d, v = g, np.zeros_like(g)
        else:
            r = g - d
            v = (1 - theta) * v + theta * (1 - theta) * r * r
            d = (1 - theta) * d + theta * g
        noisy = v > 0
        if not noisy.any():
            return g
        mean = v[noisy].mean()
        level = v + delta * mean
        level[level == 0] = mean
        return g / level ** (power / 2)

    return weigh


def info(rho, lr, theta, delta, power):
    weigh = weighing(theta, delta, power)
    return step_with(lambda w, g: (weigh(g), one(w)), rho, lr)


def presam(rho, lr, D, C):
    return step_with(lambda w, g: (D @ g if D.ndim == 2 else D * g, C), rho, lr)


def vasso_asam(rho, lr, theta, eta):
    average = averaging(theta)
    return step_with(lambda w, g: (average(g), np.abs(w) + eta), rho, lr)


def info_asam(rho, lr, theta, delta, power, eta):
    weigh = weighing(theta, delta, power)
    return step_with(lambda w, g: (weigh(g), np.abs(w) + eta), rho, lr)


def friendly_fisher(rho, lr, sigma, lmbda, eta):
    direction = without_average(sigma, lmbda)
    return step_with(lambda w, g: (direction(g), 1 / np.sqrt(1 + eta * g * g)), rho, lr)


def sparse_asam(rho, lr, mask, eta):
    return step_with(lambda w, g: (mask * g, np.abs(w) + eta), rho, lr)


def info_fisher(rho, lr, theta, delta, power, eta):
    weigh = weighing(theta, delta, power)
    return step_with(lambda w, g: (weigh(g), 1 / np.sqrt(1 + eta * g * g)), rho, lr)


ROWS = {
    "sam": sam,
    "asam": asam,
    "fisher": fisher,
    "vasso": vasso,
    "friendly": friendly,
    "sparse": sparse,
    "info": info,
    "presam": presam,
    "vasso+asam": vasso_asam,
    "info+asam": info_asam,
    "info+fisher": info_fisher,
    "friendly+fisher": friendly_fisher,
    "sparse+asam": sparse_asam,
}
