"""Check that this machine is fit: versions, devices and their precision, memory, disk, and where data is found.

  ltjax doctor
  LTJAX_DATA=/data ltjax doctor

Exit code 1 if a package is missing or outside the range that the library is tested with.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import sys
from importlib import metadata
from pathlib import Path

LINES = ("Python 3.11 with jax 0.10.2", "Python 3.12 or later with jax 0.11")
SHOWN = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "scipy")


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--root", metavar="DIR", default="runs", help="folder of the runs, for the free space "
                        "(default: runs)")


def run(args: argparse.Namespace) -> int:
    faults = [*_versions(), *_devices()]
    _machine(Path(args.root))
    _data()
    print("\n" + ("\n".join(f"FAULT: {fault}" for fault in faults) if faults else "No fault found."))
    return 1 if faults else 0


def _versions() -> list[str]:
    """Prints versions; returns what is missing or out of range."""
    print(f"ltjax {metadata.version('ltjax')}, Python {platform.python_version()} ({sys.executable})")
    print("  " + ", ".join(f"{name} {installed(name) or 'missing'}" for name in SHOWN))
    faults = []
    for requirement in metadata.requires("ltjax") or ():
        name, wanted = requirement_of(requirement)
        have = installed(name) if name else ""
        if have is None:
            faults.append(f"{name} is not installed. Install with: pip install -e . -c constraints.txt")
        elif name and not fits(have, wanted):
            faults.append(f"{name} {have} does not fit {wanted}. Install with: pip install -e . -c constraints.txt")
    jax = installed("jax") or ""
    met = [sys.version_info[:2] == (3, 11) and jax == "0.10.2", sys.version_info >= (3, 12) and jax.startswith("0.11.")]
    for line, ok in zip(LINES, met):
        print(f"  tested line: {line}: {'this one' if ok else 'not here'}")
    if not any(met):
        print("  This combination may work, but the tests do not run on it.")
    return faults


def installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def requirement_of(text: str) -> tuple[str, str]:
    """Name and version range of a requirement without marker; an extra's gives two empty texts.

    >>> requirement_of("jax<0.12,>=0.10.2")
    ('jax', '<0.12,>=0.10.2')
    """
    body, _, marker = text.partition(";")
    found = re.fullmatch(r"\s*([A-Za-z0-9._-]+)\s*(?:\[[^]]*\])?\s*\(?([^()]*)\)?\s*", body)
    return ("", "") if marker.strip() or found is None else (found[1], found[2].strip())


def fits(version: str, wanted: str) -> bool:
    """Whether a version lies in a range of `>=` and `<`.

    >>> fits("0.10.2", "<0.12,>=0.10.2"), fits("0.12.0", "<0.12,>=0.10.2")
    (True, False)
    """
    have = _numbers(version)
    for part in filter(None, (p.strip() for p in wanted.split(","))):
        bound = _numbers(part)
        size = max(len(have), len(bound))
        a, b = (tuple(v) + (0,) * (size - len(v)) for v in (have, bound))
        if (part.startswith(">=") and a < b) or (part.startswith("<") and not part.startswith("<=") and a >= b):
            return False
    return True


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", text.split("+")[0])[:3])


def _devices() -> list[str]:
    """Prints devices and how exactly they multiply; returns a fault if JAX does not start."""
    try:
        import jax
        import jax.numpy as jnp
        import numpy as np

        devices = jax.devices()
    except Exception as error:
        return [f"JAX does not start: {(str(error).splitlines() or [type(error).__name__])[0]}"]
    print(f"devices: {len(devices)} x {devices[0].device_kind} ({devices[0].platform})")
    for device in devices[:8]:
        limit = (device.memory_stats() or {}).get("bytes_limit")
        if limit:
            print(f"  {device}: {limit / 2**30:.1f} GiB for JAX")
    x = np.random.default_rng(0).standard_normal((256, 256))
    exact = x @ x
    product = np.asarray(jnp.asarray(x, jnp.float32) @ jnp.asarray(x, jnp.float32), np.float64)
    off = float(np.abs(product - exact).max() / np.abs(exact).max())
    print(f"  float32 products by default are off by {off:.0e} of the largest value"
          f"{' (reduced precision, such as TF32)' if off > 1e-5 else ''}; float64 is "
          f"{'on' if jax.dtypes.canonicalize_dtype(float) == np.float64 else 'off (run.dtype=float64 switches it on)'}")
    if devices[0].platform == "cpu" and shutil.which("nvidia-smi"):
        print("  There seems to be an NVIDIA GPU, but JAX uses the CPU: pip install -e '.[cuda12]' -c constraints.txt")
    return []


def _machine(root: Path) -> None:
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    place = root.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 2**30
    print(f"machine: {cpus} CPU cores, {memory:.1f} GiB memory, {free:.1f} GiB free for runs in {root}")
    if not os.access(place, os.W_OK):
        print(f"  {place} cannot be written to; give another folder with --root or run.root.")


def _data() -> None:
    from ltjax.data import found, layouts

    places = found()
    told = ", ".join(f"{name} {f'found as {layout}' if layout else 'not found'}" for name, layout in places.items())
    print(f"data: digits_lt and synthetic are built in; {told}")
    if not all(places.values()):
        print("\n".join(f"  {line}" for line in layouts().splitlines()))
