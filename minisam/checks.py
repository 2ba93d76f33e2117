"""What is wrong with a call: which argument, what came, what is wanted. Raised at once."""

from __future__ import annotations

import difflib
from numbers import Integral, Real
from typing import Any

import numpy as np

from minisam.backend import Array, device, is_kind


def check_same_home(**arrays: Array) -> None:
    """Raise ValueError unless all named arrays are of one library and on one device."""
    (first, a), *rest = arrays.items()
    for name, b in rest:
        if type(a) is type(b) is np.ndarray:
            continue
        if type(a) is not type(b):
            raise ValueError(
                f"{name} is a {_type_name(b)} but {first} is a {_type_name(a)}: "
                "move one of them (minisam.backend.put)"
            )
        if not hasattr(a, "shape"):
            raise ValueError(f"{first} and {name} must be arrays, got {_type_name(a)}s")
        if device(a) != device(b):
            raise ValueError(f"{name} is on {device(b)} but {first} is on {device(a)}")


def check_floating(name: str, x: Array) -> None:
    """Raise ValueError unless ``x`` is of a real floating dtype."""
    if not is_kind(x, "real floating"):
        raise ValueError(f"{name} must be of a real floating dtype, got {x.dtype}")


def check_same_dtype(**arrays: Array) -> None:
    """Raise ValueError unless all named arrays are of one dtype: a mixture would become float64."""
    (first, a), *rest = arrays.items()
    for name, b in rest:
        if b.dtype != a.dtype:
            raise ValueError(f"{name} must have the dtype of {first}, {a.dtype}, got {b.dtype}")


def check_populations(**leads: tuple[int, ...]) -> None:
    """Raise ValueError unless the leading axes of the named arrays broadcast."""
    if all(leads.values()):
        try:
            np.broadcast_shapes(*leads.values())
        except ValueError:
            found = ", ".join(f"{name} {tuple(lead)}" for name, lead in leads.items())
            raise ValueError(f"leading axes must broadcast, got those of {found}") from None


def check_choice(name: str, value: Any, choices: Any) -> None:
    """Raise ValueError, with the nearest match, unless ``value`` is one of ``choices``."""
    if value not in choices:
        lower = {choice.lower(): choice for choice in choices}
        near = difflib.get_close_matches(str(value).lower(), lower, n=1)
        hint = f" (did you mean {lower[near[0]]!r}?)" if near else ""
        raise ValueError(f"unknown {name} {value!r}{hint}; choose from {', '.join(choices)}")


def check_between(name: str, value: float, low: float, high: float = float("inf")) -> None:
    """Raise ValueError unless ``low <= value <= high`` and ``value`` is a finite number."""
    if not isinstance(value, Real):
        raise ValueError(f"{name} must be a number, got {value!r}")
    if not (low <= value <= high and value < float("inf")):
        wanted = f"in [{low:g}, {high:g}]" if high < float("inf") else f"finite and >= {low:g}"
        raise ValueError(f"{name} must be {wanted}, got {value}")


def check_count(name: str, value: int, high: float = float("inf")) -> None:
    """Raise ValueError unless ``value`` is a whole number, 1 <= value <= high."""
    check_between(name, value, 1, high)
    if not isinstance(value, Integral):
        raise ValueError(f"{name} must be a whole number, got {value}")


def check_methods(name: str, value: Any, *methods: str) -> None:
    """Raise ValueError unless ``value`` has ``methods``, such as those of an objective."""
    if not all(hasattr(value, method) for method in methods):
        raise ValueError(f"{name} must have {' and '.join(methods)}, got {value!r}")


def check_fields(config: Any, **bounds: tuple[float, float]) -> None:
    """Check the numbers of a frozen dataclass, ``rho=(0, inf)``, when it is made.

    NumPy scalars become Python numbers: float32 arrays times ``np.float64(0.1)`` are float64.
    """
    for name, (low, high) in bounds.items():
        value = getattr(config, name)
        if isinstance(value, np.generic):
            value = value.item()
            object.__setattr__(config, name, value)
        check_between(name, value, low, high)


def override(name: str, value: Any) -> Any:
    """Check a number >= 0 given for one step; an array passes unseen, a look may stall a GPU."""
    if isinstance(value, (int, float, np.generic)):
        value = value.item() if isinstance(value, np.generic) else value
        check_between(name, value, 0)
    return value


def check_acts_on(u: Array, **operator: Array) -> None:
    """Raise ValueError unless ``operator``, (..., n) or (..., 1), can act on ``u`` (..., n)."""
    ((name, a),) = operator.items()
    check_same_home(w=u, **operator)
    if a.shape[-1:] not in (u.shape[-1:], (1,)):
        raise ValueError(f"{name} must have shape (..., {u.shape[-1]}), got {tuple(a.shape)}")


def _type_name(x: Array) -> str:
    return f"{type(x).__module__.partition('.')[0]} {type(x).__name__}"
