"""Wrong answers to lesson 8, and what the check says of each."""

WRONG = {
    "8.1": [
        (  # no copy
            """
def recording(grad):
    points = []
    def ask(x):
        points.append(x)
        return grad(x)
    return ask, points
""",
            "after the asker changed its array",
        ),
        (  # the answers instead of the questions
            """
def recording(grad):
    points = []
    def ask(x):
        points.append(grad(x))
        return grad(x)
    return ask, points
""",
            "the first point written down",
        ),
        (  # only the last one kept
            """
def recording(grad):
    points = []
    def ask(x):
        points[:] = [x.copy()]
        return grad(x)
    return ask, points
""",
            "two questions were put, 1 were written down",
        ),
    ],
    "8.2": [
        (  # the sign of eps
            """
def read(step, w, grad, lr):
    ask, points = recording(grad)
    after = step(w.copy(), ask)
    return points[0] - points[1], (w - after) / lr, len(points)
""",
            "eps[",
        ),
        (  # lr forgotten
            """
def read(step, w, grad, lr):
    ask, points = recording(grad)
    after = step(w.copy(), ask)
    return points[1] - points[0], w - after, len(points)
""",
            "h[",
        ),
        (  # two steps instead of one
            """
def read(step, w, grad, lr):
    ask, points = recording(grad)
    after = step(w.copy(), ask)
    step(w.copy(), ask)
    return points[1] - points[0], (w - after) / lr, len(points)
""",
            "SAM asks twice, you counted 4",
        ),
    ],
    "8.3": [
        (  # accuses everybody
            """
def whole_radius(factory, g, rho):
    return "guilty"
""",
            "accuses a correct SAM",
        ),
        (  # acquits everybody
            """
def whole_radius(factory, g, rho):
    return None
""",
            "overlooks this bug",
        ),
        (  # at most rho instead of equal to it
            """
def whole_radius(factory, g, rho):
    eps, _, _ = read(factory(rho=rho, lr=0.1), np.zeros_like(g), lambda x: g, 0.1)
    return "too long" if np.linalg.norm(eps) > rho * 1.001 else None
""",
            "overlooks this bug",
        ),
    ],
    "8.4": [
        ('def my_verdicts():\n    return {k: ("L2", 0) for k in "ABCDE"}\n', "it proves nothing"),
        ('def my_verdicts():\n    return {k: ("L77", 0) for k in "ABCDE"}\n', "is not the number"),
        ('def my_verdicts():\n    return {k: ("L19", 0) for k in "ABCDE"}\n', "of another crime"),
    ],
    "8.5": [
        (  # a small constant in the norm
            """
def my_sam(rho, lr):
    def step(w, grad):
        g = grad(w)
        return w - lr * grad(w + rho * g / (np.linalg.norm(g) + g.dtype.type(1e-7)))
    return step
""",
            "FAILS",
        ),
        (  # restored by subtraction
            """
def my_sam(rho, lr):
    def step(w, grad):
        g = grad(w)
        largest = np.abs(g).max()
        u = g / largest if largest > 0 else g
        length = np.linalg.norm(u)
        eps = rho * (u / length) if length > 0 else u
        far = w + eps
        return far - eps - lr * grad(far)
    return step
""",
            "L19",
        ),
        (  # double precision
            """
def my_sam(rho, lr):
    def step(w, grad):
        g = grad(w).astype(float)
        largest = np.abs(g).max()
        u = g / largest if largest > 0 else g
        length = np.linalg.norm(u)
        eps = rho * (u / length) if length > 0 else u
        return w - lr * grad((w + eps).astype(w.dtype)).astype(float)
    return step
""",
            "FAILS",
        ),
    ],
}
