"""Turn a PyTorch optimizer or an optax transformation into a FACTORY, so that the laws judge it.

The laws speak NumPy: ``step(w, grad) -> next w`` with one flat vector. An adapter cuts that vector
into named tensors, lets the optimizer run its own training loop on them, and glues the result:

>>> from minisam.laws import adapters
>>> factory = adapters.torch_optimizer(
...     lambda model, rho, lr: MySAM(model.parameters(), torch.optim.SGD, rho=rho, lr=lr)
... )

A *loop* is one training step, written as in a script. Those below are the usual ones; another
habit is another function of three lines. The *base* is the optimizer that takes the step at the
end, plain gradient descent unless it is declared; see :func:`relative_to`.
PyTorch and JAX are imported when a factory is used.
"""

import inspect
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

Names = dict[str, tuple[int, ...]]
Shapes = Names | Callable[[int], Names]


def layers(n: int) -> Names:
    """Shapes of a matrix ``weight`` and a vector ``bias`` that hold n numbers together."""
    k = n // 3
    return {"weight": (2, k), "bias": (n - 2 * k,)} if k else {"weight": (1, n)}


def size(shapes: Names) -> int:
    """How many numbers the shapes hold."""
    return sum(map(math.prod, shapes.values()))


def cut(w: np.ndarray, shapes: Names) -> dict[str, np.ndarray]:
    """Cut a flat vector into fresh named arrays, in order.

    Raises
    ------
    ValueError
        If the shapes do not hold exactly ``w.size`` numbers.
    """
    if size(shapes) != w.size:
        raise ValueError(f"shapes hold {size(shapes)} numbers, the vector has {w.size}")
    ends = np.cumsum([math.prod(shape) for shape in shapes.values()])
    pieces = np.split(w, ends[:-1])
    return {
        name: piece.reshape(shape).copy()
        for (name, shape), piece in zip(shapes.items(), pieces, strict=True)
    }


def glue(pieces: dict[str, Any], names: Any) -> np.ndarray:
    """Undo :func:`cut`."""
    return np.concatenate([np.ravel(pieces[name]) for name in names])


def relative_to(base: Callable, factory: Callable) -> Callable:
    """Return ``factory`` with another base optimizer taken out of it.

    The laws know the step ``w - lr h``, where h is the last gradient asked for. A step that ends
    with the optimizer ``base`` is handed to them as

        w - lr h + (step(w) - base step from w with h),

    which is ``w - lr h`` exactly if the step does what the base alone would do with h, momentum
    and all; whatever else it does stays visible.

    Parameters
    ----------
    base
        FACTORY of the base alone, ``base(lr=...) -> step``, which asks for one gradient.
    factory
        The FACTORY to judge.
    """

    def relative(rho: float, lr: float, **hyper: Any) -> Callable:
        step, alone = factory(rho=rho, lr=lr, **hyper), base(lr=lr)

        def judged(w: np.ndarray, grad: Callable) -> np.ndarray:
            h = np.zeros_like(w)

            def listening(at: np.ndarray) -> np.ndarray:
                nonlocal h
                h = grad(at)
                return h.copy()

            out = step(w, listening)
            return w - lr * h + (out - alone(w, lambda _: h))

        return judged

    relative.__signature__ = inspect.signature(factory)  # type: ignore[attr-defined]
    if hasattr(factory, "n"):
        relative.n = factory.n  # type: ignore[attr-defined]
    return relative


# PyTorch: a loop is ``loop(optimizer, backward)``; backward() adds the gradients to ``p.grad``.


def two_calls(optimizer: Any, backward: Callable) -> None:
    """``first_step`` climbs to w + eps, ``second_step`` restores and steps."""
    optimizer.zero_grad()
    backward()
    optimizer.first_step(zero_grad=True)
    backward()
    optimizer.second_step(zero_grad=True)


def closure(optimizer: Any, backward: Callable) -> None:
    """``step(closure)``, which calls the closure for both passes."""

    def closure():
        optimizer.zero_grad()
        return backward()

    optimizer.step(closure)


def backward_then_closure(optimizer: Any, backward: Callable) -> None:
    """``step(closure)`` with the first gradients in place, the closure is for the second pass."""
    optimizer.zero_grad()
    backward()
    optimizer.step(backward)


def one_pass(optimizer: Any, backward: Callable) -> None:
    """The loop of an ordinary optimizer."""
    optimizer.zero_grad()
    backward()
    optimizer.step()


def torch_optimizer(
    make: Callable,
    loop: Callable = two_calls,
    base: Callable | None = None,
    shapes: Shapes = layers,
    none_for_zero: bool = False,
) -> Callable:
    """Return the FACTORY of a PyTorch optimizer.

    Parameters
    ----------
    make
        ``make(model, rho=..., lr=..., **hyper) -> optimizer``. The model is a torch module with
        the named parameters of ``shapes``; make groups of them as you like.
    loop
        One training step, ``loop(optimizer, backward)``.
    base
        ``base(model, lr=...) -> optimizer`` that takes the step at the end, if it is not plain
        gradient descent: ``lambda model, lr: torch.optim.SGD(model.parameters(), lr, 0.9)``.
    shapes
        The named tensors that the vector is cut into: a dictionary of shapes, or a function of
        the length n that returns one.
    none_for_zero
        Hand a tensor whose gradient is all zeros over as ``p.grad = None``: what a layer that
        took no part in this batch looks like.
    """

    def factory(**hyper: Any) -> Callable:
        model: Any = None
        optimizer: Any = None

        def step(w: np.ndarray, grad: Callable) -> np.ndarray:
            import torch

            nonlocal model, optimizer
            names = shapes(w.size) if callable(shapes) else shapes
            pieces = {name: torch.from_numpy(piece) for name, piece in cut(w, names).items()}
            if model is None:
                model = torch.nn.ParameterDict(pieces)
                optimizer = make(model, **hyper)
            for name, piece in pieces.items():
                model[name].data.copy_(piece)

            def backward():
                at = {name: p.detach().numpy() for name, p in model.items()}
                for name, g in cut(grad(glue(at, names)), names).items():
                    p = model[name]
                    if p.grad is not None:
                        p.grad += torch.from_numpy(g)
                    elif g.any() or not none_for_zero:
                        p.grad = torch.from_numpy(g)
                return torch.zeros(())  # a loss: the kit hands out gradients only

            loop(optimizer, backward)
            return glue({name: p.detach().numpy() for name, p in model.items()}, names)

        return step

    _describe(factory, inspect.signature(partial(make, None)), shapes)
    if base is None:
        return factory
    return relative_to(torch_optimizer(base, one_pass, None, shapes, none_for_zero), factory)


# optax: a loop is ``loop(transformation, grad, state, params) -> params, state``.


def one_update(transformation: Any, grad: Callable, state: Any, params: Any) -> tuple[Any, Any]:
    """The loop of an ordinary optimizer."""
    import optax

    updates, state = transformation.update(grad(params), state, params)
    return optax.apply_updates(params, updates), state


def two_updates(transformation: Any, grad: Callable, state: Any, params: Any) -> tuple[Any, Any]:
    """Two ordinary updates: the first one climbs, the second one restores and steps."""
    for _ in range(2):
        params, state = one_update(transformation, grad, state, params)
    return params, state


def with_grad_fn(transformation: Any, grad: Callable, state: Any, params: Any) -> tuple[Any, Any]:
    """One update that gets the gradient at w and a function for the other one."""
    import optax

    updates, state = transformation.update(
        grad(params), state, params, grad_fn=lambda at, *_: grad(at)
    )
    return optax.apply_updates(params, updates), state


def optax_transformation(
    make: Callable,
    loop: Callable = with_grad_fn,
    base: Callable | None = None,
    shapes: Shapes = layers,
) -> Callable:
    """Return the FACTORY of an optax-style gradient transformation.

    Parameters
    ----------
    make
        ``make(rho=..., lr=..., **hyper) -> transformation`` with ``init`` and ``update``.
    loop
        One training step, ``loop(transformation, grad, state, params) -> params, state``.
    base
        ``base(lr=...) -> transformation`` that takes the step at the end, if it is not plain
        gradient descent.
    shapes
        The named arrays that the vector is cut into, as for :func:`torch_optimizer`.
    """

    def factory(**hyper: Any) -> Callable:
        transformation, state = make(**hyper), None

        def step(w: np.ndarray, grad: Callable) -> np.ndarray:
            import jax

            nonlocal state
            names = shapes(w.size) if callable(shapes) else shapes

            def tree(vector):
                return {name: jax.numpy.asarray(a) for name, a in cut(vector, names).items()}

            with _x64(jax, w.dtype == np.float64):
                params = tree(w)
                state = transformation.init(params) if state is None else state
                gradient = lambda at: tree(grad(glue(at, names)))
                params, state = loop(transformation, gradient, state, params)
                return glue(params, names)

        return step

    _describe(factory, inspect.signature(make), shapes)
    if base is None:
        return factory
    return relative_to(optax_transformation(base, one_update, None, shapes), factory)


def _x64(jax: Any, on: bool) -> Any:
    """Let JAX keep float64, which it does not by itself."""
    enable = getattr(jax, "enable_x64", None)
    if enable is None:
        from jax.experimental import enable_x64 as enable  # pyright: ignore (before JAX 0.8)
    return enable(bool(on))


def _describe(factory: Any, signature: Any, shapes: Shapes) -> None:
    """Tell the kit the hyperparameters of a factory, and the number of parameters if fixed."""
    factory.__signature__ = signature
    if not callable(shapes):
        factory.n = size(shapes)
