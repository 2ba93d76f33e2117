"""Wrong answers to lesson 1, and what the check says of each."""

WRONG = {
    "1.1": [
        (  # copies
            """
def layers(w):
    a, b, c = p * q, (p + 1) * q, (p + 1) * q + q * k
    return w[:a].reshape(p, q).copy(), w[a:b].copy(), w[b:c].reshape(q, k).copy(), w[c:].copy()
""",
            "is a copy",
        ),
        (  # the transposed layout
            """
def layers(w):
    a, b, c = p * q, (p + 1) * q, (p + 1) * q + q * k
    return w[:a].reshape(q, p), w[a:b], w[b:c].reshape(k, q), w[c:]
""",
            "W1 has shape (16, 2), but should have (2, 16)",
        ),
        (  # both matrices first, then both biases
            """
def layers(w):
    a, b, c = p * q, p * q + q * k, p * q + q * k + q
    return w[:a].reshape(p, q), w[b:c], w[a:b].reshape(q, k), w[c:]
""",
            "the parts, read one after the other",
        ),
    ],
    "1.2": [
        (  # no activation
            """
def forward(w, X):
    W1, b1, W2, b2 = layers(w)
    h = X @ W1 + b1
    return h, h @ W2 + b2
""",
            "is never negative",
        ),
        (  # activation on the output too
            """
def forward(w, X):
    W1, b1, W2, b2 = layers(w)
    h = np.maximum(X @ W1 + b1, 0)
    return h, np.maximum(h @ W2 + b2, 0)
""",
            "z[",
        ),
        (  # the second bias forgotten
            """
def forward(w, X):
    W1, b1, W2, b2 = layers(w)
    h = np.maximum(X @ W1 + b1, 0)
    return h, h @ W2
""",
            "z[",
        ),
    ],
    "1.3": [
        (  # exp overflows
            """
def cross_entropy(z, y):
    with np.errstate(all="ignore"):
        P = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        onehot = np.eye(k)[y]
        return -(onehot * np.log(P)).sum() / len(y), (P - onehot) / len(y)
""",
            "not finite",
        ),
        (  # the mean forgotten in the derivative
            """
def cross_entropy(z, y):
    z = z - z.max(axis=1, keepdims=True)
    log_P = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    onehot = np.eye(k)[y]
    return -(onehot * log_P).sum() / len(y), np.exp(log_P) - onehot
""",
            "by differences of your own loss the slope is",
        ),
        (  # in place
            """
def cross_entropy(z, y):
    z -= z.max(axis=1, keepdims=True)
    log_P = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    onehot = np.eye(k)[y]
    return -(onehot * log_P).sum() / len(y), (np.exp(log_P) - onehot) / len(y)
""",
            "changes its argument",
        ),
    ],
    "1.4": [
        (  # the kink forgotten
            """
def loss_and_grad(w, X, y):
    _, _, W2, _ = layers(w)
    h, z = forward(w, X)
    f, d2 = cross_entropy(z, y)
    d1 = d2 @ W2.T
    parts = X.T @ d1, d1.sum(0), h.T @ d2, d2.sum(0)
    return f, np.concatenate([x.ravel() for x in parts])
""",
            "the gradient by W1",
        ),
        (  # mean instead of sum over the batch
            """
def loss_and_grad(w, X, y):
    _, _, W2, _ = layers(w)
    h, z = forward(w, X)
    f, d2 = cross_entropy(z, y)
    d1 = (d2 @ W2.T) * (h > 0)
    parts = X.T @ d1, d1.mean(0), h.T @ d2, d2.mean(0)
    return f, np.concatenate([x.ravel() for x in parts])
""",
            "the gradient by b1",
        ),
        (  # uphill
            """
def loss_and_grad(w, X, y):
    _, _, W2, _ = layers(w)
    h, z = forward(w, X)
    f, d2 = cross_entropy(z, y)
    d1 = (d2 @ W2.T) * (h > 0)
    parts = X.T @ d1, d1.sum(0), h.T @ d2, d2.sum(0)
    return f, -np.concatenate([x.ravel() for x in parts])
""",
            "by differences the slope is",
        ),
    ],
    "1.5": [
        (  # half the denominator
            """
def central_differences(f, w, t=1e-5):
    return np.array([(f(w + t * e) - f(w - t * e)) / t for e in np.eye(len(w))])
""",
            "for f(x) = sum x^3",
        ),
        (  # one-sided
            """
def central_differences(f, w, t=1e-5):
    return np.array([(f(w + t * e) - f(w)) / t for e in np.eye(len(w))])
""",
            "for f(x) = sum x^3",
        ),
        (  # all coordinates at once
            """
def central_differences(f, w, t=1e-5):
    return (f(w + t) - f(w - t)) / (2 * t) * np.ones(len(w))
""",
            "for f(x) = sum x^3",
        ),
    ],
}
