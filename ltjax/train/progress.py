"""What a user sees while a run trains: a live bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any, Protocol


class Progress(Protocol):
    """What the loop tells: the run, its steps with their metrics, a note."""

    def start(self, label: str, steps: int, batch: int) -> None: ...
    def step(self, step: int, row: dict[str, Any]) -> None: ...
    def note(self, text: str) -> None: ...
    def close(self) -> None: ...


class Silent:
    """Says nothing."""

    def start(self, label, steps, batch):
        pass

    def step(self, step, row):
        pass

    def note(self, text):
        pass

    def close(self):
        pass


def visible(console=None) -> Progress:
    """A bar if standard error is a terminal, else lines."""
    from rich.console import Console

    console = console or Console(stderr=True)
    return Bar(console) if console.is_terminal else Lines()


class Meter:
    """Speed since the first step that did not pay for a compilation."""

    def __init__(self, batch: int, steps: int):
        self.batch, self.steps = batch, steps
        self._began: tuple[float, int] | None = None
        self.speed = 0.0

    def step(self, step: int) -> None:
        now = time.perf_counter()
        if self._began is None:
            self._began = (now, step)
        elif now > self._began[0]:
            self.speed = (step - self._began[1]) / (now - self._began[0])

    def words(self, step: int, row: dict[str, Any]) -> str:
        left = f"{(self.steps - step) / self.speed:.0f} s left" if self.speed else "compiling"
        accuracy = row.get("accuracy")
        shown = "" if accuracy is None else f"  acc {100 * accuracy:.1f}"
        loss = "not finite" if row.get("loss") is None else f"{row['loss']:.4f}"
        return (f"loss {loss}{shown}  {self.speed:.1f} steps/s  {self.speed * self.batch:.0f} img/s  {left}")


class Bar:
    """A live bar: step, loss, accuracy, steps/s, images/s, time left."""

    def __init__(self, console):
        self._console = console
        self._bar: Any = None

    def start(self, label, steps, batch):
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Rich

        self.close()
        self._meter = Meter(batch, steps)
        self._bar = Rich(TextColumn("{task.description}"), BarColumn(24), MofNCompleteColumn(),
                         TextColumn("{task.fields[words]}"), console=self._console)
        self._task = self._bar.add_task(label, total=steps, words="compiling")
        self._bar.start()

    def step(self, step, row):
        self._meter.step(step)
        self._bar.update(self._task, completed=step, words=self._meter.words(step, row))

    def note(self, text):
        self._console.print(text)

    def close(self):
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class Lines:
    """A line at most every ten seconds, and at the end."""

    def start(self, label, steps, batch):
        self._label, self._meter, self._told = label, Meter(batch, steps), time.monotonic()

    def step(self, step, row):
        self._meter.step(step)
        if time.monotonic() - self._told > 10 or step == self._meter.steps:
            self._told = time.monotonic()
            print(f"{self._label}  step {step}/{self._meter.steps}  {self._meter.words(step, row)}", file=sys.stderr)

    def note(self, text):
        print(text, file=sys.stderr)

    def close(self):
        pass
