"""Wrong answers to lesson 7, and what the check says of each."""

WRONG = {
    "7.1": [
        (  # NumPy by name
            """
def norm(u):
    return np.sqrt(np.sum(np.asarray(u) ** 2, axis=-1, keepdims=True))
""",
            "your code raises RuntimeError",
        ),
        (  # a method
            """
def norm(u):
    xp = array_namespace(u)
    return xp.sqrt((u * u).sum(axis=-1, keepdims=True))
""",
            "your code raises AttributeError",
        ),
        (  # one norm for the whole population
            """
def norm(u):
    xp = array_namespace(u)
    return xp.sqrt(xp.sum(u * u, keepdims=True))
""",
            "norm has shape",
        ),
    ],
    "7.2": [
        (  # a branch
            """
def ascend(g, rho):
    length = norm(g)
    return rho * g / length if length > 0 else 0 * g
""",
            "looks at a value",
        ),
        (  # a float
            """
def ascend(g, rho):
    return g * (rho / max(float(norm(g)), 1e-300))
""",
            "looks at a value, through __float__",
        ),
        (  # 0 / 0 in the branch not chosen
            """
def ascend(g, rho):
    return rho * g / norm(g)
""",
            "not finite",
        ),
        (  # a small constant
            """
def ascend(g, rho):
    return rho * g / (norm(g) + 1e-2)
""",
            "eps of a population",
        ),
    ],
    "7.3": [
        (  # double precision
            """
def start(seed, n, scale, xp=np, device=None):
    return put(scale * np.random.default_rng(seed).standard_normal(n), xp, device)
""",
            "many times slower in float64",
        ),
        (  # the default device
            """
def start(seed, n, scale, xp=np, device=None):
    return put(scale * np.random.default_rng(seed).standard_normal(n), xp, None, "float32")
""",
            "the weights are on",
        ),
        (  # the seed ignored
            """
def start(seed, n, scale, xp=np, device=None):
    return put(scale * np.random.default_rng(0).standard_normal(n), xp, device, "float32")
""",
            "two seeds give the same weights",
        ),
    ],
    "7.4": [
        (  # the first gradient twice
            """
def sam_step(net, w, X, y, rho, lr):
    _, g = net.loss_and_grad(w, X, y)
    return w - lr * g
""",
            "the step",
        ),
        (  # one norm for all
            """
def sam_step(net, w, X, y, rho, lr):
    _, g = net.loss_and_grad(w, X, y)
    _, h = net.loss_and_grad(w + rho * g / np.sqrt((g * g).sum()), X, y)
    return w - lr * h
""",
            "as it is alone",
        ),
        (  # the base step at the far point
            """
def sam_step(net, w, X, y, rho, lr):
    _, g = net.loss_and_grad(w, X, y)
    w = w + ascend(g, rho)
    _, h = net.loss_and_grad(w, X, y)
    return w - lr * h
""",
            "the step",
        ),
    ],
}
