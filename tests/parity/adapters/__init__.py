"""One table from golden keys to calls of the library.

Every module of this package holds `ADAPTERS = {"family/key": adapter}`; the table is their union. An adapter
takes a `Case` and returns a dict with everything the case expects, computed in `case.dtype`:

    def focal(case):
        call = functools.partial(losses.focal, stats=case.stats, gamma=case.params["gamma"])
        return per_example_loss(case, call)
"""

import importlib
import pkgutil
from collections.abc import Callable


def table() -> dict[str, Callable]:
    """All adapters, by "family/key"; two for one key are an error."""
    merged: dict[str, Callable] = {}
    for found in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{found.name}")
        for key, adapter in getattr(module, "ADAPTERS", {}).items():
            if key in merged:
                raise ValueError(f"{key} has two adapters: in {merged[key].__module__}, {module.__name__}.")
            merged[key] = adapter
    return merged
