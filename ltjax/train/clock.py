"""How long the next chunk of steps may be, and what a run has cost."""

from __future__ import annotations

import resource
import time
from typing import Any

CHUNK_SECONDS = 1.0
"""Work that a call aims at, so that bars move and signals are heard."""


class Clock:
    """Times the chunks of a run."""

    def __init__(self):
        self._began = time.perf_counter()
        self._compiling, self._steady, self._steps = 0.0, 0.0, 0

    def chunk(self, pace: int, count: int, spent: float) -> int:
        """Steps of the next chunk, about a second's worth; the first chunk of a stage pays for the compilation.

        Args:
          pace: steps of this chunk as planned, 0 for the first of a stage; count: those done, in `spent` seconds.
        """
        if pace == 0:
            self._compiling += spent
            return 8
        self._steady += spent
        self._steps += count
        return max(1, int(CHUNK_SECONDS * count / max(spent, 1e-6)))

    def costs(self, device, seeds: int) -> dict[str, Any]:
        """Seconds, speed and memory of the run so far."""
        peak = (device.memory_stats() or {}).get("peak_bytes_in_use")
        return {"seconds": time.perf_counter() - self._began, "compile_s": self._compiling,
                "steps_per_s": self._steps / self._steady if self._steady else None,
                "seeds_together": seeds, "peak_of": "device" if peak else "process",
                "peak_bytes": int(peak or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)}
