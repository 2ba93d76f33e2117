"""Preconditioned sharpness-aware minimization in code that reads like the mathematics.

The method is six files, best read in this order: ``backend``, ``losses``, ``mlp``,
``preconditioners``, ``presam``, ``optimizers``; ``checks`` is what a wrong call is told. Around it
stand ``minisam.theory`` (predictions on toy problems), ``minisam.laws`` (what every implementation
must obey) and ``minisam.lab`` (data, training, studies, pictures).
"""

from importlib import import_module

from minisam.mlp import MLP
from minisam.optimizers import SGD, Adam, AdamW
from minisam.preconditioners import (
    Averaged,
    Composed,
    Dense,
    Diagonal,
    Fisher,
    Friendly,
    Identity,
    Magnitude,
    Mask,
    NoiseWeights,
)
from minisam.presam import (
    ASAM,
    SAM,
    FisherSAM,
    FriendlySAM,
    InfoSAM,
    PreSAM,
    SharpnessAware,
    SparseSAM,
    VaSSO,
)

__version__ = "0.1.0"

_WINGS = ("theory", "laws", "lab")

__all__ = [
    "MLP",
    "PreSAM", "SAM", "ASAM", "FisherSAM", "VaSSO", "FriendlySAM", "SparseSAM", "InfoSAM",
    "Identity", "Diagonal", "Dense", "Mask", "Averaged", "Friendly", "NoiseWeights", "Composed",
    "Magnitude", "Fisher",
    "SharpnessAware", "SGD", "Adam", "AdamW",
    *_WINGS,
]  # fmt: skip


def __getattr__(name: str):
    # the wings load on first use: `import minisam` stays fast
    if name in _WINGS:
        return import_module(f"minisam.{name}")
    raise AttributeError(f"module 'minisam' has no attribute {name!r}")
