"""Another value for every option of a part, and the settings under which it must matter."""

from ltjax.registry import Part


def cases(parts) -> list[tuple[str, str]]:
    """(part name, option name) of all options that a config can set; given draws are no such option."""
    return [(part.name, option) for part in parts for option in part.options
            if option not in part.meta.get("draws", ())]


def pair(part: Part, option: str, stats) -> tuple[dict, dict]:
    """Two settings that differ in one option.

    A part may declare `probe={option: value}`; the value may be a function of the class statistics, or a
    dict with all options of the second setting where the option only matters beside others.
    """
    probe = part.meta.get("probe", {}).get(option)
    if callable(probe):
        probe = probe(stats)
    if isinstance(probe, dict):
        return {name: value for name, value in probe.items() if name != option}, probe
    return {}, {option: _other(part, option) if probe is None else probe}


def _other(part: Part, option: str):
    default = part.options[option]
    if option in part.choices:
        return next(choice for choice in part.choices[option] if choice != default)
    if isinstance(default, bool):
        return not default
    low, high = part.bounds.get(option, (float("-inf"), float("inf")))
    if isinstance(default, int | float):
        steps = (default + 1, default - 1) if isinstance(default, int) else (2 * default or 0.5, default / 2, high)
        return next(value for value in steps if low <= value <= high and value != default)
    raise AssertionError(f"{part.kind} {part.name!r}: declare probe={{{option!r}: another value}} so that the "
                         "tests can see that the option matters")
