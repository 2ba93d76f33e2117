"""Wrong answers to lesson 4, and what the check says of each."""

WRONG = {
    "4.1": [
        (  # C where C^2 belongs
            """
def perturb(g, D, C, rho):
    u = C * D * g
    length = norm(u)
    return rho * u / length if length > 0 else np.zeros_like(g)
""",
            "eps is not on the ellipsoid",
        ),
        (  # the norm without C
            """
def perturb(g, D, C, rho):
    length = norm(D * g)
    return rho * C**2 * D * g / length if length > 0 else np.zeros_like(g)
""",
            "eps is not on the ellipsoid",
        ),
        (  # D forgotten
            """
def perturb(g, D, C, rho):
    u = C * g
    length = norm(u)
    return rho * C * u / length if length > 0 else np.zeros_like(g)
""",
            "in the ellipsoid too, has",
        ),
        (  # 0 / 0
            """
def perturb(g, D, C, rho):
    return rho * C**2 * D * g / norm(C * D * g)
""",
            "eps at g = 0 has entries that are not finite",
        ),
    ],
    "4.2": [
        (  # the sign of w kept
            """
def asam_constraint(w, g, eta):
    return w + eta
""",
            "L2",
        ),
        (  # the wrong exponent
            """
def fisher_constraint(w, g, eta):
    return (1 + eta * g**2) ** -1.0
""",
            "L2",
        ),
        (  # eta forgotten
            """
def asam_constraint(w, g, eta):
    return np.abs(w)
""",
            "L2",
        ),
    ],
    "4.3": [
        (  # theta on the old average
            """
def average(d, g, theta):
    return g if d is None else theta * d + (1 - theta) * g
""",
            "L",
        ),
        (  # the incremental form: not SAM bit by bit at theta = 1
            """
def average(d, g, theta):
    return g if d is None else d + theta * (g - d)
""",
            "L15",
        ),
        (  # no average at all
            """
def average(d, g, theta):
    return g
""",
            "L",
        ),
    ],
    "4.4": [
        (  # upside down
            """
def equivalent_radius(g, C, rho):
    return rho * norm(C * g) / norm(C**2 * g)
""",
            "of eps by the objective is",
        ),
        (  # the same radius
            """
def equivalent_radius(g, C, rho):
    return rho
""",
            "of eps by the objective is",
        ),
        (  # the gradient's norm below
            """
def equivalent_radius(g, C, rho):
    return rho * norm(C * g) / norm(g)
""",
            "of eps by the objective is",
        ),
    ],
    "4.5": [
        (  # SAM's direction
            """
def cycle(lam, D, C, rho, lr):
    k = np.argmax(lam)
    return k, lr * rho * C[k] * lam[k] / (2 - lr * lam[k])
""",
            "the method ends along axis",
        ),
        (  # D in the amplitude
            """
def cycle(lam, D, C, rho, lr):
    k = np.argmax(D * C**2 * lam**2 / (2 - lr * lam))
    return k, lr * rho * D[k] * C[k] * lam[k] / (2 - lr * lam[k])
""",
            "the method ends at",
        ),
        (  # C instead of C^2
            """
def cycle(lam, D, C, rho, lr):
    k = np.argmax(D * C * lam**2 / (2 - lr * lam))
    return k, lr * rho * C[k] * lam[k] / (2 - lr * lam[k])
""",
            "the method ends along axis",
        ),
    ],
}
