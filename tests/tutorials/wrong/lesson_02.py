"""Wrong answers to lesson 2, and what the check says of each."""

WRONG = {
    "2.1": [
        (  # the factor two
            """
def hessian_times(grad, w, v, t=1e-4):
    return (grad(w + t * v) - grad(w - t * v)) / t
""",
            "of H v is",
        ),
        (  # one-sided, exact on a quadratic
            """
def hessian_times(grad, w, v, t=1e-4):
    return (grad(w + t * v) - grad(w)) / t
""",
            "for f = sum w^4 / 12",
        ),
        (  # the curvature along v only
            """
def hessian_times(grad, w, v, t=1e-4):
    return v @ (grad(w + t * v) - grad(w - t * v)) / (2 * t)
""",
            "has shape (), but should have (5,)",
        ),
    ],
    "2.2": [
        (  # never normalized
            """
def top_eigenvalue(Hv, v, steps=100):
    for _ in range(steps):
        v = Hv(v)
    return v @ Hv(v), v
""",
            "lambda_max is",
        ),
        (  # too few steps
            """
def top_eigenvalue(Hv, v, steps=100):
    v = Hv(v) / np.linalg.norm(Hv(v))
    return v @ Hv(v), v
""",
            "lambda_max is",
        ),
        (  # the eigenvector is left long
            """
def top_eigenvalue(Hv, v, steps=100):
    for _ in range(steps):
        v = Hv(v) / np.linalg.norm(v)
    return v @ Hv(v) / (v @ v), v
""",
            "the length of v is 3",
        ),
    ],
    "2.3": [
        (  # v not normalized
            """
def loss_slice(f, w, v, distances):
    return np.array([f(w + t * v) for t in distances])
""",
            "does not depend on the length of v",
        ),
        (  # one side only
            """
def loss_slice(f, w, v, distances):
    v = v / np.linalg.norm(v)
    return np.array([f(w + abs(t) * v) for t in distances])
""",
            "phi[",
        ),
        (  # a slice through the origin
            """
def loss_slice(f, w, v, distances):
    v = v / np.linalg.norm(v)
    return np.array([f(t * v) for t in distances])
""",
            "phi[",
        ),
    ],
    "2.4": [
        (  # the gradient not normalized
            """
def sharpness(f, grad, w, rho):
    return f(w + rho * grad(w)) - f(w)
""",
            "the sharpness of f(w) = a.w",
        ),
        (  # squared norm
            """
def sharpness(f, grad, w, rho):
    g = grad(w)
    return f(w + rho * g / (g @ g)) - f(w) if g @ g > 0 else 0.0
""",
            "the sharpness of f(w) = a.w",
        ),
        (  # 0 / 0 at a minimum
            """
def sharpness(f, grad, w, rho):
    g = grad(w)
    with np.errstate(all="ignore"):
        return f(w + rho * g / np.linalg.norm(g)) - f(w)
""",
            "at a point with zero gradient your sharpness is nan",
        ),
    ],
    "2.5": [
        (  # the bias forgotten
            """
def rescale(net, w, alpha):
    w = w.copy()
    (W1, b1), (W2, b2) = net.layers(w)
    W1 *= alpha
    W2 /= alpha
    return w
""",
            "the outputs of the rescaled network",
        ),
        (  # all of the second layer
            """
def rescale(net, w, alpha):
    w = w.copy()
    (W1, b1), (W2, b2) = net.layers(w)
    W1 *= alpha
    b1 *= alpha
    W2 /= alpha
    b2 /= alpha
    return w
""",
            "the outputs of the rescaled network",
        ),
        (  # new arrays instead of views
            """
def rescale(net, w, alpha):
    w = w.copy()
    (W1, b1), (W2, b2) = net.layers(w)
    W1, b1, W2 = alpha * W1, alpha * b1, W2 / alpha
    return w
""",
            "nothing was rescaled",
        ),
    ],
}
