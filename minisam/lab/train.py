"""The training loop, as a generator of records; and checkpoints, from which it goes on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minisam import backend, checks
from minisam.backend import Array, namespace, unit
from minisam.lab.data import Data, Split
from minisam.mlp import LOSSES, MLP
from minisam.optimizers import SGD, Adam, AdamW
from minisam.presam import PreSAM, SharpnessAware, State

Base = SGD | Adam | AdamW  # or any other base optimizer with an attribute ``lr``
BASE = SGD(lr=0.1, momentum=0.9, weight_decay=5e-4)


class Checkpoint(NamedTuple):
    """All that a run needs to go on: epochs done, weights, and the optimizer's state."""

    epoch: int
    w: Array
    state: State


class Record(NamedTuple):
    """What is known at the end of an epoch; for a population every number has its shape (S,).

    ``loss`` and ``cosine`` belong to the point ``at`` from which the last step of the epoch
    started, where its perturbation was ``eps``; the accuracies to the weights after that step.
    """

    epoch: int  # epochs done
    step: int  # steps done
    loss: np.ndarray  # on the whole train split, noisy labels
    train: np.ndarray  # accuracy on the train split, noisy labels
    validation: np.ndarray  # accuracy on the validation split, noisy labels
    test: np.ndarray  # accuracy on the test split, clean labels
    cosine: np.ndarray  # of eps to the gradient on the whole train split; 0 if one of them is 0
    finite_steps: np.ndarray  # steps done before the loss was first inf or NaN
    at: Array
    eps: Array
    checkpoint: Checkpoint

    @property
    def diverged(self) -> np.ndarray:
        """Whether the loss was inf or NaN; the step where it was is ``finite_steps + 1``."""
        return self.finite_steps < self.step


def cosine_schedule(lr: float, step: int, steps: int) -> float:
    """``lr (1 + cos(pi step / steps)) / 2``, step = 0, 1, ... (Loshchilov & Hutter 2017)."""
    return lr * (1 + math.cos(math.pi * step / steps)) / 2


def fetch(x: Array) -> np.ndarray:
    """Copy to the host (NumPy's scalars become arrays, too)."""
    return backend.get(namespace(x).asarray(x))


def accuracy(net: MLP, w: Array, split: Split) -> Array:
    """Share of ``split`` for which the largest output is that of the label: (...)."""
    xp = namespace(w)
    return xp.mean(xp.astype(xp.argmax(net(w, split.X), axis=-1) == split.y, w.dtype), axis=-1)


def train(
    net: MLP,
    data: Data,
    rule: PreSAM | None = None,
    base: Base = BASE,
    *,
    epochs: int = 30,
    batch: int = 64,
    seed: int | Sequence[int] = 0,
    rho: Sequence[float] | None = None,
    every: int = 1,
    start: Checkpoint | None = None,
) -> Iterator[Record]:
    """Train, and yield a record every ``every`` epochs and after the last one.

    Parameters
    ----------
    net, data
        The network, and the data, which live on one device: the training runs there.
    rule, base
        See ``SharpnessAware``. The learning rate ``base.lr`` falls to 0 as ``cosine_schedule``.
    epochs, batch
        An epoch visits ``N // batch`` minibatches of a new random order.
    seed
        Fixes initial weights and minibatch orders. A sequence of S seeds trains a population of S
        runs at once, w of shape (S, n); each goes the way it would go alone.
    rho
        The S radii of a population, instead of ``rule.rho``.
    every
        Epochs between records. Only records look at the device.
    start
        Go on from this checkpoint, with the same other arguments, as if never interrupted.

    Notes
    -----
    A run whose loss is inf or NaN is marked in the record (``diverged``, ``finite_steps``); the
    generator ends early, with such a record, once no run of the population is left.

    Raises
    ------
    ValueError
        If ``batch`` exceeds the train split, or ``epochs``, ``batch`` or ``every`` is below 1.
    """
    X, y = data.train
    xp, device = namespace(X), backend.device(X)
    checks.check_count("epochs", epochs)
    checks.check_count("batch", batch, X.shape[0])
    checks.check_count("every", every)
    seeds = np.atleast_1d(seed)
    one = lambda a: a[0] if np.ndim(seed) == 0 else a
    opt = SharpnessAware(rule, base)
    if start is None:
        w = backend.put(one(np.stack([net.init(int(s)) for s in seeds])), xp, device)
        start = Checkpoint(0, w, opt.init(w))
    if rho is not None:
        if rule is None or np.shape(rho) != np.shape(seed):
            raise ValueError(f"rho must be one radius for each seed of a rule, got {rho}")
        for radius in rho:
            checks.check_between("rho", radius, 0)
        rho = backend.put(np.asarray(rho, "float32")[:, None], xp, device)
    steps = X.shape[0] // batch
    dtype = start.w.dtype
    finite_steps = xp.zeros(start.w.shape[:-1], dtype=dtype, device=device)
    alive = xp.ones_like(finite_steps)

    def run(w, state, epoch, finite_steps, alive):
        orders = np.stack([minibatches(int(s), epoch, X.shape[0], batch) for s in seeds], axis=1)
        orders = backend.put(orders if np.ndim(seed) else orders[:, 0], xp, device)
        for k in range(steps):
            index = xp.reshape(orders[k, ...], (-1,))
            Xk = xp.reshape(xp.take(X, index, axis=0), (*orders.shape[1:], X.shape[-1]))
            yk = xp.reshape(xp.take(y, index, axis=0), tuple(orders.shape[1:]))
            at = w
            w, state, seen = opt.step(
                w,
                lambda w: net.loss_and_grad(w, Xk, yk),  # noqa: B023
                state,
                lr=cosine_schedule(base.lr, epoch * steps + k, epochs * steps),
                rho=rho,
            )
            finite = xp.isfinite(seen.loss) & xp.isfinite(seen.loss_perturbed)
            alive = alive * xp.astype(finite, dtype)
            finite_steps = finite_steps + alive
        return w, state, at, seen.eps, finite_steps, alive

    _, w, state = start
    finite_steps = finite_steps + start.epoch * steps
    for epoch in range(start.epoch, epochs):
        with np.errstate(over="ignore", invalid="ignore"):  # a run that diverges is no surprise
            w, state, at, eps, finite_steps, alive = run(w, state, epoch, finite_steps, alive)
            done = epoch + 1
            if done % every and done < epochs:
                continue
            loss, g = net.loss_and_grad(at, X, y)
            record = Record(
                epoch=done,
                step=done * steps,
                loss=fetch(loss),
                train=fetch(accuracy(net, w, data.train)),
                validation=fetch(accuracy(net, w, data.validation)),
                test=fetch(accuracy(net, w, data.test)),
                cosine=fetch(xp.sum(unit(eps) * unit(g), axis=-1)),
                finite_steps=fetch(finite_steps),
                at=at,
                eps=eps,
                checkpoint=Checkpoint(done, w, state),
            )
        yield record
        if record.diverged.all():
            return


def minibatches(seed: int, epoch: int, N: int, batch: int) -> np.ndarray:
    """Indices (N // batch, batch) of the minibatches of an epoch, a function of its arguments."""
    order = np.random.default_rng((seed, epoch)).permutation(N)
    return order[: N // batch * batch].reshape(-1, batch)


def along(net: MLP, split: Split, w: Array, eps: Array, t: Iterable[float]) -> np.ndarray:
    """Return ``L(w + t eps / ||eps||)`` on ``split`` for every distance in ``t``: (..., len(t))."""
    u = unit(eps)
    loss = lambda w: fetch(LOSSES[net.loss](net(w, split.X), split.y)[0])
    return np.stack([loss(w + float(s) * u) for s in t], axis=-1)


# --- checkpoints -----------------------------------------------------------------------------


def save_checkpoint(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint as ``.npz``."""
    leaves = [leaf for leaf in _leaves(checkpoint) if leaf is not None]
    np.savez(path, *(leaf if isinstance(leaf, int) else backend.get(leaf) for leaf in leaves))


def load_checkpoint(
    path: str | Path, rule: PreSAM | None, base: Base, xp: Any = np, device: Any = None
) -> Checkpoint:
    """Read what ``save_checkpoint`` wrote, for the same ``rule`` and ``base``.

    The file holds arrays only. Their place in the state (tuples, named tuples, whole numbers, None)
    is learnt from one step with a zero gradient.

    Raises
    ------
    ValueError
        If the file holds another number of arrays than the state of this rule and base has.
    """
    with np.load(path) as file:
        found = [file[f"arr_{i}"] for i in range(len(file.files))]
    opt, w = SharpnessAware(rule, base), found[1]
    like = opt.init(w)
    if found[0] > 0:
        _, like, _ = opt.step(w, lambda w: (w[..., 0], np.zeros_like(w)), like)
    like = Checkpoint(0, w, like)
    wanted = sum(leaf is not None for leaf in _leaves(like))
    if wanted != len(found):
        raise ValueError(
            f"{path} holds {len(found)} arrays, but a run with this rule and base has {wanted}"
        )
    leaves = iter(found)

    def fill(x: Any) -> Any:
        if x is None:
            return None
        if isinstance(x, tuple):
            parts = [fill(part) for part in x]
            return type(x)(*parts) if hasattr(x, "_fields") else tuple(parts)
        leaf = next(leaves)
        return int(leaf) if isinstance(x, int) else backend.put(leaf, xp, device)

    return fill(like)


def _leaves(x: Any) -> list:
    return [leaf for part in x for leaf in _leaves(part)] if isinstance(x, tuple) else [x]
