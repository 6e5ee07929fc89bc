"""Parts that a test registers from files of its own are forgotten when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ltjax import registry


@contextmanager
def forgotten(folder: Path) -> Iterator[None]:
    """After the block no part is registered whose code lies below the folder."""
    try:
        yield
    finally:
        for key, part in list(registry._parts.items()):
            if Path(registry._source(part.fn)).absolute().is_relative_to(folder):
                del registry._parts[key]
