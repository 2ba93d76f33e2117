"""Against PyTorch: gradients by autograd, base optimizers by torch.optim, a step by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minisam as ms
from tests.backends import NUMPY
from tests.rows import few, unlike
from tests.test_mlp import architectures, data
from tests.test_optimizers import problem, run

pytestmark = pytest.mark.peers
seeds = st.integers(0, 2**32 - 1)


def torch_loss(net, w, X, y):
    """The network in PyTorch's own words, from the same flat vector."""
    import torch

    phi = {"relu": torch.relu, "tanh": torch.tanh, "identity": lambda z: z}[net.activation]
    a, at = X, 0
    for l, (p, q) in enumerate(zip(net.sizes[:-1], net.sizes[1:], strict=True)):
        W, b = w[at : at + p * q].reshape(p, q), w[at + p * q : at + p * q + q]
        a, at = torch.nn.functional.linear(a, W.T, b), at + p * q + q
        a = phi(a) if l < len(net.sizes) - 2 else a
    if net.loss == "softmax":
        return torch.nn.functional.cross_entropy(a, y)
    return 0.5 * torch.nn.functional.mse_loss(a, y, reduction="sum") / len(X)


def torch_gradient(net, w, X, y):
    import torch

    w = torch.tensor(w, requires_grad=True)
    loss = torch_loss(net, w, torch.tensor(X), torch.tensor(y))
    loss.backward()
    return loss.item(), w.grad.numpy()


@given(net=architectures, seed=seeds)
def test_gradients_are_autograds(net, seed):
    w, X, y = data(net, seed)
    loss, g = net.loss_and_grad(w, X, y)
    loss_there, g_there = torch_gradient(net, w, X, y)
    assert abs(loss - loss_there) <= 1e-13 * max(1, loss_there)
    assert np.abs(g - g_there).max() <= 1e-13 * max(1, np.abs(g_there).max())


@pytest.mark.parametrize(
    ("base", "name", "settings"),
    [
        (ms.SGD(0.05), "SGD", {}),
        (ms.SGD(0.05, 0.9, 0.1), "SGD", {"momentum": 0.9, "weight_decay": 0.1}),
        (
            ms.SGD(0.05, 0.8, 0.1, nesterov=True),
            "SGD",
            {"momentum": 0.8, "weight_decay": 0.1, "nesterov": True},
        ),
        (ms.Adam(0.05), "Adam", {}),
        (
            ms.Adam(0.05, (0.7, 0.8), 1e-3, 0.1),
            "Adam",
            {"betas": (0.7, 0.8), "eps": 1e-3, "weight_decay": 0.1},
        ),
        (ms.AdamW(0.05), "AdamW", {}),
        (
            ms.AdamW(0.05, (0.7, 0.8), 1e-3, 0.3),
            "AdamW",
            {"betas": (0.7, 0.8), "eps": 1e-3, "weight_decay": 0.3},
        ),
    ],
    ids=lambda x: x if isinstance(x, str) else None,
)
@few(5)
@given(seed=seeds)
def test_base_optimizers_are_torchs(base, name, settings, seed):
    import torch

    w, gs, _ = problem(NUMPY, seed)
    there = torch.tensor(w)
    optimizer = getattr(torch.optim, name)([there], lr=0.05, **settings)
    path = []
    for g in gs:
        there.grad = torch.tensor(g)
        optimizer.step()
        path.append(there.numpy().copy())
    assert unlike(run(base, NUMPY, w, gs), np.stack(path)) <= 1e-12


@few(10)
@given(net=architectures, seed=seeds)
def test_ten_steps_of_sam_written_in_pytorch(net, seed):
    """``w + rho g / ||g||``, second backward, restore, ``torch.optim.SGD``: the usual recipe."""
    import torch

    w, X, y = data(net, seed)
    there = torch.tensor(w, requires_grad=True)
    optimizer = torch.optim.SGD([there], lr=0.05, momentum=0.9, weight_decay=1e-3)
    opt = ms.SharpnessAware(ms.SAM(0.05), ms.SGD(0.05, 0.9, 1e-3))
    state = opt.init(w)
    for _ in range(10):
        w, state, _ = opt.step(w, lambda v: net.loss_and_grad(v, X, y), state)
        saved = there.detach().clone()
        _, g = torch_gradient(net, saved.numpy(), X, y)
        size = np.linalg.norm(g)
        _, g = torch_gradient(net, saved.numpy() + (0.05 * g / size if size else 0), X, y)
        there.grad = torch.tensor(g)
        optimizer.step()
    assert unlike(w, there.detach().numpy()) <= 1e-9
