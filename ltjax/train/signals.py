"""Why a run ends early: SIGTERM and SIGINT ask the loop to save and leave (a second one is fatal), or the guard."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


class Interrupted(RuntimeError):
    """A run that was asked to stop and saved its state."""

    def __init__(self, step: int, steps: int):
        super().__init__(f"stopped at step {step} of {steps}, state saved; the same command resumes there.")


class NonFinite(RuntimeError):
    """The guard stopped a run: the loss or the update was not finite at these steps, by seed."""

    def __init__(self, steps: dict[int, int]):
        where = ", ".join(f"step {step} (seed {seed})" for seed, step in sorted(steps.items()))
        super().__init__(f"the loss or the update was not finite at {where}; the step was not taken. Lower optim.lr, "
                         "set optim.clip, or set run.on_nonfinite=skip to leave such steps out.")


class Stop:
    requested = False


@contextlib.contextmanager
def graceful() -> Iterator[Stop]:
    """Inside, a first SIGTERM or SIGINT sets `requested`; outside the main thread nothing is installed."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(number, frame):
        if stop.requested:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stop.requested = True

    old = {s: signal.signal(s, ask) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
