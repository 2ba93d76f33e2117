"""Wrong answers to lesson 5, and what the check says of each."""

WRONG = {
    "5.1": [
        (  # the noise left out of the norm
            """
def alignment(d, mu, s):
    return (d * mu**2).sum() / (norm(mu) * norm(d * mu))
""",
            "simulated gradients",
        ),
        (  # the square root forgotten
            """
def alignment(d, mu, s):
    return (d * mu**2).sum() / (norm(mu) * (d**2 * (mu**2 + s**2)).sum())
""",
            "simulated gradients",
        ),
        (  # s instead of its square
            """
def alignment(d, mu, s):
    return (d * mu**2).sum() / (norm(mu) * np.sqrt((d**2 * (mu**2 + s)).sum()))
""",
            "simulated gradients",
        ),
    ],
    "5.2": [
        (  # inverse variance
            """
def best_weights(mu, s):
    return 1 / s**2
""",
            "yours have",
        ),
        (  # signal to noise
            """
def best_weights(mu, s):
    return np.abs(mu) / s
""",
            "yours have",
        ),
        (  # the other way round
            """
def best_weights(mu, s):
    return s**2 / (mu**2 + s**2)
""",
            "yours have",
        ),
    ],
    "5.3": [
        (  # starting at zero
            """
def update(d, v, g, theta):
    d, v = (np.zeros_like(g), np.zeros_like(g)) if d is None else (d, v)
    r = g - d
    return d + theta * r, (1 - theta) * (v + theta * r**2)
""",
            "d after step 1",
        ),
        (  # the last residual alone
            """
def update(d, v, g, theta):
    if d is None:
        return g, np.zeros_like(g)
    r = g - d
    return d + theta * r, r**2
""",
            "v after",
        ),
        (  # residual from the new average, plain average of squares
            """
def update(d, v, g, theta):
    if d is None:
        return g, np.zeros_like(g)
    d = (1 - theta) * d + theta * g
    return d, (1 - theta) * v + theta * (g - d) ** 2
""",
            "v after",
        ),
    ],
    "5.4": [
        (  # multiply instead of divide
            """
def weigh(g, v, delta, power):
    if not (v > 0).any():
        return g
    spread = v + delta * v[v > 0].mean()
    return g * np.where(spread > 0, spread, v[v > 0].mean()) ** (power / 2)
""",
            "L26",
        ),
        (  # an absolute floor
            """
def weigh(g, v, delta, power):
    return g / (v + delta + 1e-300) ** (power / 2) if (v > 0).any() else g
""",
            "L",
        ),
        (  # the mean counts components without noise
            """
def weigh(g, v, delta, power):
    if not (v > 0).any():
        return g
    spread = v + delta * v.mean()
    return g / np.where(spread > 0, spread, v[v > 0].mean()) ** (power / 2)
""",
            "L",
        ),
        (  # power on the variance, not on the deviation
            """
def weigh(g, v, delta, power):
    if not (v > 0).any():
        return g
    spread = v + delta * v[v > 0].mean()
    return g / np.where(spread > 0, spread, v[v > 0].mean()) ** power
""",
            "L26",
        ),
    ],
    "5.5": [
        (  # the sign
            """
def gain(mu, s):
    energy = mu**2 + s**2
    return (mu**2 * np.log(s)).sum() / (mu**2).sum() - (energy * np.log(s)).sum() / energy.sum()
""",
            "by differences of log A the slope is",
        ),
        (  # unweighted mean
            """
def gain(mu, s):
    return np.log(s).mean() - (mu**2 * np.log(s)).sum() / (mu**2).sum()
""",
            "by differences of log A the slope is",
        ),
        (  # not normalized
            """
def gain(mu, s):
    return ((mu**2 + s**2) * np.log(s)).sum() - (mu**2 * np.log(s)).sum()
""",
            "by differences of log A the slope is",
        ),
    ],
}
