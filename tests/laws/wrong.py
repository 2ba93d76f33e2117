"""Wrong or unusual implementations, small diffs of correct ones, with what the kit must say."""

import time

import numpy as np

from tests.laws.correct import averaging, info, one, sam, scaled_norm, step_with, without_average


def two_pass(eps_of, update=None):
    """A step from ``eps_of(w, g)``; ``update(w, eps, g, h)`` is its last line."""

    def step(w, grad):
        g = grad(w)
        eps = eps_of(w, g)
        h = grad((w + eps).astype(w.dtype))
        return update(w, eps, g, h)

    return step


def sam_variant(eps=lambda g, rho: rho * g / (scaled_norm(g) or 1), update=None):
    return lambda rho, lr: two_pass(
        lambda w, g: eps(g, rho),
        lambda w, e, g, h: (update or (lambda w, e, g, h, lr: w - lr * h))(w, e, g, h, lr),
    )


def blocks(g, rho):
    half = (len(g) + 1) // 2
    return np.concatenate([rho * p / (scaled_norm(p) or 1) for p in (g[:half], g[half:]) if len(p)])


def stale(rho, lr):
    kept = []

    def step(w, grad):
        kept.append(grad)
        g = grad(w)
        return w - lr * kept[max(0, len(kept) - 2)](w + rho * g / (scaled_norm(g) or 1))

    return step


def momentum(rho, lr):
    m = 0.0

    def update(w, e, g, h):
        nonlocal m
        m = 0.9 * m + h
        return w - lr * m

    return two_pass(lambda w, g: rho * g / (scaled_norm(g) or 1), update)


def both_passes(rho, lr, theta):
    average = averaging(theta)

    def step(w, grad):
        d = average(grad(w))
        h = grad(w + rho * d / (scaled_norm(d) or 1))
        average(h)
        return w - lr * h

    return step


def incremental(rho, lr, theta):
    d = None

    def direction(w, g):
        nonlocal d
        d = g if d is None else d + theta * (g - d)
        return d, one(w)

    return step_with(direction, rho, lr)


def from_zero(rho, lr, theta):
    d = 0.0

    def direction(w, g):
        nonlocal d
        d = (1 - theta) * d + theta * g
        return d, one(w)

    return step_with(direction, rho, lr)


def updated(rho, lr, sigma, lmbda):
    m = None

    def direction(w, g):
        nonlocal m
        m = g if m is None else lmbda * m + (1 - lmbda) * g
        return g - sigma * m, one(w)

    return step_with(direction, rho, lr)


def mask_after(rho, lr, mask):
    return two_pass(
        lambda w, g: mask * (rho * g / (scaled_norm(g) or 1)), lambda w, e, g, h: w - lr * h
    )


def biases_in_ball_of_one(rho, lr, eta):
    def constraint(w, g):
        C = np.abs(w) + eta
        C[2 * len(w) // 3 :] = 1
        return g, C

    return step_with(constraint, rho, lr)


def noise_weights(change):
    """infoSAM with one line changed: ``change(v, g, r, theta) -> v``."""

    def factory(rho, lr, theta, delta, power):
        d, v = None, 0.0

        def direction(w, g):
            nonlocal d, v
            r = 0 * g if d is None else g - d
            d = g if d is None else (1 - theta) * d + theta * g
            v = change(v, r, theta)
            noisy = v > 0
            if not np.any(noisy):
                return g, one(w)
            level = v + delta * v[noisy].mean()
            return g / np.where(level > 0, level, v[noisy].mean()) ** (power / 2), one(w)

        return step_with(direction, rho, lr)

    return factory


def multiply(rho, lr, theta, delta, power):
    return info(rho, lr, theta, delta, -power)


def dead_is_nan(rho, lr, theta, delta, power):
    d, v = None, 0.0

    def direction(w, g):
        nonlocal d, v
        r = 0 * g if d is None else g - d
        d = g if d is None else (1 - theta) * d + theta * g
        first = np.all(v == 0) and not np.any(r)
        v = (1 - theta) * (v + theta * r * r)
        return (g if first else g / (v + delta * v.mean()) ** (power / 2)), one(w)

    return step_with(direction, rho, lr)


def plain_norm(rho, lr):
    def eps(w, g):
        N = np.sqrt(np.sum(g * g))
        return rho * g / N if N > 0 else 0 * g

    return two_pass(eps, lambda w, e, g, h: w - lr * h)


def asam_without_square(rho, lr, eta):
    def eps(w, g):
        T = np.abs(w) + eta
        return rho * T * g / (scaled_norm(T * g) or 1)

    return two_pass(eps, lambda w, e, g, h: w - lr * h)


def asam_without_eta(rho, lr, eta):
    return step_with(lambda w, g: (g, np.abs(w)), rho, lr)


def fisher_to_the_minus_one(rho, lr, eta):
    return step_with(lambda w, g: (g, 1 / (1 + eta * g * g)), rho, lr)


def mutates(rho, lr):
    step = sam(rho, lr)

    def inplace(w, grad):
        w[:] = step(w, grad)
        return w

    return inplace


def hangs(rho, lr):
    def step(w, grad):
        while True:
            time.sleep(0.01)

    return step


def raises(rho, lr):
    def step(w, grad):
        raise IndexError("list index\nout of range")

    return step


# claim, factory, a law that must fail or be unusable, words of its message
BUGS = {
    "plain gradient descent": (
        "sam",
        lambda rho, lr: lambda w, grad: w - lr * grad(w),
        "L19",
        "asked for 1 times",
    ),
    "norm plus 1e-7": (
        "sam",
        sam_variant(lambda g, rho: rho * g / (scaled_norm(g) + 1e-7)),
        "L2",
        "An additive constant in the norm",
    ),
    "squared norm": (
        "sam",
        sam_variant(lambda g, rho: rho * g / (g @ g or 1)),
        "L3",
        "squared norm",
    ),
    "descent": (
        "sam",
        sam_variant(lambda g, rho: -rho * g / (scaled_norm(g) or 1)),
        "L1",
        "Descending",
    ),
    "norm per block": ("sam", sam_variant(blocks), "L10", "over 2 blocks"),
    "zero divided by zero": (
        "sam",
        sam_variant(lambda g, rho: rho * g / scaled_norm(g)),
        "L21",
        "0/0",
    ),
    "radius squared": (
        "sam",
        sam_variant(lambda g, rho: rho**2 * g / (scaled_norm(g) or 1)),
        "L6",
        "Rho squared",
    ),
    "restore by subtraction": (
        "sam",
        sam_variant(update=lambda w, e, g, h, lr: (w + e) - e - lr * h),
        "L19",
        "subtracting",
    ),
    "no restore": (
        "sam",
        sam_variant(update=lambda w, e, g, h, lr: w + e - lr * h),
        "L19",
        "without going back",
    ),
    "first gradient used": (
        "sam",
        sam_variant(update=lambda w, e, g, h, lr: w - lr * g),
        "L19",
        "gradient at w",
    ),
    "both gradients": (
        "sam",
        sam_variant(update=lambda w, e, g, h, lr: w - lr * (g + h)),
        "L19",
        "added up",
    ),
    "float64 leak": (
        "sam",
        sam_variant(update=lambda w, e, g, h, lr: w - np.float64(lr) * h),
        "L24",
        "float64",
    ),
    "hidden momentum": ("sam", momentum, "L19", "off by"),
    "hidden weight decay": (
        "sam",
        lambda rho, lr: two_pass(
            lambda w, g: rho * (g + 0.01 * w) / (scaled_norm(g + 0.01 * w) or 1),
            lambda w, e, g, h: w - lr * h,
        ),
        "L12",
        "weight decay",
    ),
    "new minibatch in the second pass": ("sam", stale, "L19", "minibatches"),
    "no square": ("asam", asam_without_square, "L1", "C where C^2 belongs"),
    "eta left out": ("asam", asam_without_eta, "L13", "C = |w| instead"),
    "SAM as ASAM": ("asam", lambda rho, lr, eta: sam(rho, lr), "L11", "left out"),
    "wrong Fisher exponent": ("fisher", fisher_to_the_minus_one, "L1", "C^2 where C belongs"),
    "theta swapped": (
        "vasso",
        lambda rho, lr, theta: step_with(
            (lambda average: lambda w, g: (average(g), one(w)))(averaging(1 - theta)), rho, lr
        ),
        "L20",
        "weighing the old",
    ),
    "fed by both passes": ("vasso", both_passes, "L20", "both passes"),
    "incremental": ("vasso", incremental, "L15", "incremental form"),
    "lmbda swapped": (
        "friendly",
        lambda rho, lr, sigma, lmbda: step_with(
            (lambda f: lambda w, g: (f(g), one(w)))(without_average(sigma, 1 - lmbda)), rho, lr
        ),
        "L26",
        "weighing the new",
    ),
    "multiply": ("info", multiply, "L26", "ultiplying by the noise"),
    "instantaneous": (
        "info",
        noise_weights(lambda v, r, theta: r * r),
        "L26",
        "last gradient alone",
    ),
    "dead coordinate counted": ("info", dead_is_nan, "L21", ""),
    "changes its input": ("sam", mutates, "L0", "changes its input"),
    "raises": ("sam", raises, "L0", "raises IndexError: list index out of range (wrong.py, line"),
    "no step": ("sam", lambda rho, lr: None, "L0", "factory returns None"),
    "wrong shape": ("sam", lambda rho, lr: lambda w, grad: w[None], "L0", "returns shape (1,"),
    "no vector": ("sam", lambda rho, lr: lambda w, grad: None, "L0", "returns None"),
    "no such argument": ("asam", sam, "L0", "unexpected keyword argument 'eta'"),
}

# claim, factory, the law that names the convention, words of the sentence
CONVENTIONS = {
    "from zero": ("vasso", from_zero, "L20", "starts at zero"),
    "updated average": ("friendly", updated, "L16", "already holds"),
    "mask after normalising": ("sparse", mask_after, "L18", "after normalising"),
    "biases in the ball of 1": ("asam", biases_in_ball_of_one, "L13", "as for biases"),
    "plain norm": ("sam", plain_norm, "L3", "its squares vanish"),
}
