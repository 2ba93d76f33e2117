"""Wrong answers to lesson 3, and what the check says of each."""

WRONG = {
    "3.1": [
        (  # a small constant in the norm
            """
def ascend(g, rho):
    return rho * g / (np.linalg.norm(g) + 1e-7)
""",
            "for a gradient of size 1e-08",
        ),
        (  # downhill
            """
def ascend(g, rho):
    length = np.linalg.norm(g)
    return -rho * g / length if length > 0 else np.zeros_like(g)
""",
            "another point of the ball",
        ),
        (  # 0 / 0
            """
def ascend(g, rho):
    return rho * g / np.linalg.norm(g)
""",
            "eps at g = 0 has entries that are not finite",
        ),
        (  # squared norm
            """
def ascend(g, rho):
    return rho * g / (g @ g) if g @ g > 0 else np.zeros_like(g)
""",
            "||eps|| is",
        ),
    ],
    "3.2": [
        (  # the base step taken at the far point
            """
def sam_step(w, grad, rho, lr):
    w = w + ascend(grad(w), rho)
    return w - lr * grad(w)
""",
            "L19",
        ),
        (  # the first gradient used for the update
            """
def sam_step(w, grad, rho, lr):
    g = grad(w)
    grad(w + ascend(g, rho))
    return w - lr * g
""",
            "L19",
        ),
        (  # in place
            """
def sam_step(w, grad, rho, lr):
    eps = ascend(grad(w), rho)
    w += eps
    h = grad(w)
    w -= eps
    w -= lr * h
    return w
""",
            "changes its input",
        ),
    ],
    "3.3": [
        (  # eps applied to x, too
            """
def next_x(x, lam, rho, lr):
    return x + rho * np.sign(x) - lr * lam * (x + rho * np.sign(x))
""",
            "your own sam_step goes to",
        ),
        (  # plain gradient descent
            """
def next_x(x, lam, rho, lr):
    return (1 - lr * lam) * x
""",
            "your own sam_step goes to",
        ),
        (  # the sign of x forgotten
            """
def next_x(x, lam, rho, lr):
    return (1 - lr * lam) * x - lr * lam * rho
""",
            "your own sam_step goes to",
        ),
    ],
    "3.4": [
        (  # the amplitude of the gradient
            """
def amplitude(lam, rho, lr):
    return lr * rho * lam**2 / (2 - lr * lam)
""",
            "SAM goes to",
        ),
        (  # the fixed point of next(a) = +a
            """
def amplitude(lam, rho, lr):
    return -rho
""",
            "should be positive",
        ),
        (  # the factor two
            """
def amplitude(lam, rho, lr):
    return lr * rho * lam / (1 - lr * lam)
""",
            "raises ZeroDivisionError",
        ),
    ],
}
