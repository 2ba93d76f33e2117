"""A watchdog: somebody else's code runs in a thread that is given up when one call takes too long.

A thread rather than a process, so that any function can be judged, in a notebook too, and a
thread rather than a signal, so that it works on every system. A loop in Python is also
interrupted; a call that hangs outside Python is left behind in a daemon thread. A thread that
came back serves again: Hypothesis collects garbage in every new one, 0.2 s with PyTorch loaded.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from queue import SimpleQueue

from .oracle import Unusable


class _GivenUp(BaseException):
    """Raised inside the thread that took too long."""


class Clock:
    """Knows since when somebody else's code has been running."""

    def __init__(self):
        self._since: float | None = None

    @contextmanager
    def running(self):
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._since = None

    def elapsed(self) -> float:
        """Seconds since the current call began, 0 between calls."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since


class _Worker(threading.Thread):
    """Does one job after another."""

    def __init__(self):
        super().__init__(daemon=True)
        self.jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.start()

    def run(self):
        while True:
            self.jobs.get()()


_idle: list[_Worker] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # threads do not survive a fork


def watched(work: Callable[[Clock], object], timeout: float):
    """Return ``work(clock)``, computed in a thread with warnings silenced.

    Raises
    ------
    Unusable
        If a call that the clock times takes longer than ``timeout`` seconds.
    """
    clock, done, box = Clock(), threading.Event(), {}

    def body():
        try:
            box["value"] = work(clock)
        except BaseException as error:  # handed over to the waiting thread, whatever it is
            box["error"] = error
        done.set()

    thread = _idle.pop() if _idle else _Worker()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        thread.jobs.put(body)
        while not done.wait(0.02 if timeout < 1 else 0.1):
            if clock.elapsed() > timeout:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_GivenUp)
                )
                done.wait(0.5)
                raise Unusable(f"hangs: one call took more than {timeout:g} s")
    _idle.append(thread)
    if "error" in box:
        raise box["error"]
    return box["value"]
