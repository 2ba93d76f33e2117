"""The same SAM step in PyTorch and JAX, and the floor below all of them.

Every function takes a ``Problem`` and returns one step as a function without arguments: float32,
SGD with momentum and weight decay, softmax cross-entropy, ReLU, one fixed minibatch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

RHO, LR, MOMENTUM, WEIGHT_DECAY = 0.05, 0.01, 0.9, 5e-4


@dataclass(frozen=True)
class Problem:
    """An MLP of layer ``sizes`` and one random minibatch."""

    sizes: tuple[int, ...]
    batch: int

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(0)
        X = rng.standard_normal((self.batch, self.sizes[0])).astype("float32")
        return X, rng.integers(0, self.sizes[-1], self.batch)

    def layers(self) -> list[tuple[np.ndarray, np.ndarray]]:
        rng = np.random.default_rng(1)
        return [
            (
                (rng.standard_normal((p, q)) * (2 / p) ** 0.5).astype("float32"),
                np.zeros(q, "float32"),
            )
            for p, q in zip(self.sizes, self.sizes[1:], strict=False)
        ]


def matrix_products(problem: Problem) -> Callable:
    """The floor: two times the matrix products of one gradient, into buffers kept between calls."""
    X, _ = problem.data()
    W = [W for W, _ in problem.layers()]
    a = [X] + [np.ones((problem.batch, q), "float32") for q in problem.sizes[1:]]
    d = [np.ones_like(x) for x in a]
    dW = [np.empty_like(M) for M in W]

    def step():
        for _ in range(2):
            for l in range(len(W)):
                np.matmul(a[l], W[l], out=a[l + 1])
            for l in reversed(range(len(W))):
                np.matmul(a[l].T, d[l + 1], out=dW[l])
                if l > 0:
                    np.matmul(d[l + 1], W[l].T, out=d[l])

    return step


def pytorch(problem: Problem, compiled: bool = False) -> Callable:
    """SAM over ``torch.optim.SGD``, whole-list (foreach) operations, no host synchronisation."""
    import torch

    X, y = (torch.from_numpy(v) for v in problem.data())
    modules = []
    for W, b in problem.layers():
        linear = torch.nn.Linear(*W.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W).T)
            linear.bias.copy_(torch.from_numpy(b))
        modules += [linear, torch.nn.ReLU()]
    net = torch.nn.Sequential(*modules[:-1])
    params = list(net.parameters())
    base = torch.optim.SGD(params, LR, MOMENTUM, weight_decay=WEIGHT_DECAY, foreach=True)

    def loss():
        return torch.nn.functional.cross_entropy(net(X), y)

    if compiled:
        loss = torch.compile(loss)

    def step():
        loss().backward()
        with torch.no_grad():
            g = [p.grad for p in params]
            length = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(g)))
            eps = torch._foreach_mul(g, RHO / length)
            saved = [p.clone() for p in params]
            torch._foreach_add_(params, eps)
        base.zero_grad()
        loss().backward()
        with torch.no_grad():
            torch._foreach_copy_(params, saved)
        base.step()
        base.zero_grad()

    step.weights = lambda: [p.detach().numpy().T for p in params]
    return step


def pytorch_compiled(problem: Problem) -> Callable:
    return pytorch(problem, compiled=True)


def jax_jit(problem: Problem) -> Callable:
    """``optax.contrib.sam`` in one jit-compiled step that may reuse its inputs' memory."""
    import jax
    import optax
    import optax.contrib

    X, y = (jax.device_put(v) for v in problem.data())
    params = jax.device_put(problem.layers())

    def loss(params, _):
        a = X
        for W, b in params[:-1]:
            a = jax.nn.relu(a @ W + b)
        W, b = params[-1]
        return optax.softmax_cross_entropy_with_integer_labels(a @ W + b, y).mean()

    grad = jax.grad(loss)
    rule = optax.contrib.sam(
        optax.chain(optax.add_decayed_weights(WEIGHT_DECAY), optax.sgd(LR, MOMENTUM)),
        optax.chain(optax.contrib.normalize(), optax.sgd(RHO)),
        sync_period=2,
        opaque_mode=True,
    )

    @jax.jit(donate_argnums=(0, 1))
    def advance(params, state):
        updates, state = rule.update(grad(params, 0), state, params, grad_fn=grad)
        return optax.apply_updates(params, updates), state

    memory = [params, rule.init(params)]

    def step():
        memory[:] = advance(*memory)
        jax.block_until_ready(memory[0])

    step.weights = lambda: [np.asarray(v) for W, b in memory[0] for v in (W, b)]
    return step


def minisam(problem: Problem, rule, members: int = 0) -> Callable:
    """The step under test, on a flat vector, or on a population of ``members`` of them."""
    import minisam as ms

    X, y = problem.data()
    net = ms.MLP(problem.sizes)
    w = np.concatenate([v.ravel() for pair in problem.layers() for v in pair])
    if members > 1:
        w = np.tile(w, (members, 1))
    opt = ms.SharpnessAware(rule, ms.SGD(LR, MOMENTUM, WEIGHT_DECAY))
    memory = [w, opt.init(w)]

    def grad(v):
        return net.loss_and_grad(v, X, y)

    def step():
        memory[:] = opt.step(memory[0], grad, memory[1])[:2]

    step.weights = lambda: [v for pair in net.layers(memory[0]) for v in pair]
    return step
