"""Wrong answers to lesson 6, and what the check says of each."""

WRONG = {
    "6.1": [
        (  # the perturbation costs nothing
            """
def change(G, lr, r, L, sigma):
    return -lr / 2 * G**2 + L * lr**2 / 2 * sigma**2
""",
            "the bound at a stationary point without noise",
        ),
        (  # the full decrease
            """
def change(G, lr, r, L, sigma):
    return -lr * G**2 + lr / 2 * (L * r) ** 2 + L * lr**2 / 2 * (sigma + L * r) ** 2
""",
            "which a round bowl attains",
        ),
        (  # variances added instead of deviations
            """
def change(G, lr, r, L, sigma):
    return -lr / 2 * G**2 + lr * (L * r) ** 2 + L * lr**2 * (sigma**2 + (L * r) ** 2)
""",
            "which a round bowl attains",
        ),
    ],
    "6.2": [
        (  # the factor two
            """
def bound(delta0, T, lr, r, L, sigma):
    return delta0 / (lr * T) + (L * r) ** 2 + L * lr * (sigma + L * r) ** 2
""",
            "but Delta_0 is",
        ),
        (  # T forgotten
            """
def bound(delta0, T, lr, r, L, sigma):
    return 2 * delta0 / lr + (L * r) ** 2 + L * lr * (sigma + L * r) ** 2
""",
            "but Delta_0 is",
        ),
        (  # lr once too often
            """
def bound(delta0, T, lr, r, L, sigma):
    return 2 * delta0 / (lr * T) + lr * (L * r) ** 2 + L * lr**2 * (sigma + L * r) ** 2
""",
            "but Delta_0 is",
        ),
    ],
    "6.3": [
        ("def slowest_decay():\n    return 0.5\n", "yours is not the smallest"),
        ("def slowest_decay():\n    return 0.0\n", "more slowly than T^-0.5"),
        ("def slowest_decay():\n    return 1 / 8\n", "more slowly than T^-0.5"),
    ],
    "6.4": [
        (  # the sign
            """
def settled_gradient(p, alpha, rho):
    return rho * (p - (1 - p) * alpha)
""",
            "a simulation settles at",
        ),
        (  # the same perturbation for both
            """
def settled_gradient(p, alpha, rho):
    return -rho * (p + (1 - p) * alpha)
""",
            "a simulation settles at",
        ),
        (  # the usual condition
            """
def settled_gradient(p, alpha, rho):
    return 0.0
""",
            "a simulation settles at",
        ),
    ],
}
