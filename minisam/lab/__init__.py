"""The laboratory: real data, training, studies, pictures.

::

    from minisam import lab
    data = lab.load("digits", label_noise=0.5)
    for record in lab.train(net, data, rule, base, epochs=30, seed=0):
        print(record.epoch, record.test)

Read ``data``, then ``train``, then ``study``. ``engines`` says where the runs of a study are
computed, ``plots`` draws what it found, and ``compare`` is the command ``minisam compare``.
"""

from minisam.lab.data import Data, Split, load
from minisam.lab.statistics import interval
from minisam.lab.study import METHODS, Log, Outcome, Run, Setting, perform, study
from minisam.lab.train import (
    Checkpoint,
    Record,
    accuracy,
    along,
    cosine_schedule,
    load_checkpoint,
    save_checkpoint,
    train,
)

__all__ = [
    "METHODS", "Checkpoint", "Data", "Log", "Outcome", "Record", "Run", "Setting", "Split",
    "accuracy", "along", "cosine_schedule", "interval", "load", "load_checkpoint", "perform",
    "save_checkpoint", "study", "train",
]  # fmt: skip
