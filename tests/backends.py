"""The array libraries and devices on which every test of the method runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from minisam import backend as arrays


@dataclass(frozen=True)
class Backend:
    """One library on one device, in one floating dtype."""

    name: str
    library: str = "numpy"
    device: str | None = None  # of array-api-strict
    dtype: str = "float64"
    wrap: Callable[[Any], Any] = lambda x: x

    def __str__(self):
        return self.name

    @property
    def xp(self) -> Any:
        return import_module(self.library)

    @property
    def home(self) -> Any:
        """The device in the library's own words."""
        return self.device and self.xp.Device(self.device)

    @property
    def u(self) -> float:
        """Unit roundoff: 2^-53 or 2^-24."""
        return float(np.finfo(self.dtype).eps) / 2

    def host(self, x: Any) -> np.ndarray:
        """Round to this backend's dtype, but stay on the host: what an oracle should start from."""
        return np.asarray(x).astype(self.dtype)

    def put(self, x: Any) -> Any:
        """Host numbers to this backend: floats in its dtype, integers and booleans as they are."""
        x = np.asarray(x)
        x = x.astype(self.dtype) if x.dtype.kind == "f" else x.copy()
        return self.wrap(arrays.put(x, self.xp, self.home))

    def get(self, x: Any) -> np.ndarray:
        """Back to the host, after a check that ``x`` never left this backend."""
        assert arrays.namespace(x) is arrays.namespace(self.put(np.zeros(1)))
        assert arrays.device(x) == arrays.device(self.put(np.zeros(1)))
        if arrays.namespace(x).isdtype(x.dtype, "real floating"):
            assert x.dtype == self.put(np.zeros(1)).dtype, "output dtype = input dtype"
        return arrays.get(x)


def read_only(x: np.ndarray) -> np.ndarray:
    x.flags.writeable = False
    return x


def why_no_gpu() -> str:
    """Return why CuPy cannot run here, or an empty string."""
    try:
        import_module("cupy").zeros(1)
    except Exception as error:
        return f"no GPU for CuPy: {type(error).__name__}: {str(error).splitlines()[0]}"
    return ""


def why_no_torch() -> str:
    return "" if find_spec("torch") else "PyTorch is not installed"


NUMPY = Backend("numpy")
NUMPY32 = Backend("numpy32", dtype="float32")
BACKENDS = [
    NUMPY,
    NUMPY32,
    Backend("read-only", wrap=read_only),
    Backend("strict", "array_api_strict"),
    Backend("strict-device1", "array_api_strict", "device1"),
    Backend("strict-float32", "array_api_strict", "no_float64", "float32"),
    pytest.param(Backend("torch", "torch"), marks=pytest.mark.peers),
    pytest.param(Backend("cupy", "cupy"), marks=pytest.mark.gpu),
    pytest.param(Backend("cupy32", "cupy", dtype="float32"), marks=pytest.mark.gpu),
]
