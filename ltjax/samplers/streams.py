"""Counter-based random numbers of the index plans: any step can be computed without those before it."""

from __future__ import annotations

import numpy as np

_WORD = (1 << 64) - 1
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def uniforms(seed: int, stream: int, first: int, count: int, width: int) -> np.ndarray:
    """Uniform numbers in [0, 1) of the steps first .. first+count-1, as float64 [count, width].

    Step t owns the words t*width .. (t+1)*width-1 of one Philox sequence with key (seed, stream), so that
    cutting the steps into other chunks gives the same numbers. Only the raw words of the bit generator are
    used: NumPy keeps those from one version to the next.
    """
    block, skip = divmod(first * width, 4)
    key = np.array([seed & _WORD, stream & _WORD], dtype=np.uint64)
    words = np.random.Philox(key=key, counter=block).random_raw(skip + count * width)[skip:]
    return _fraction(words).reshape(count, width)


def hashed(seed: int, stream: int, *numbers) -> np.ndarray:
    """One 64-bit word for each tuple of whole numbers: arrays that broadcast, hashed one after the other.

    The mixing function is that of SplitMix64. Use it where many short sequences are needed at scattered
    places, for example one order per class and cycle.
    """
    state = np.array([seed & _WORD], dtype=np.uint64)
    for number in (stream, *numbers):
        state = _mix(state + (np.atleast_1d(number).astype(np.uint64) + np.uint64(1)) * _GOLDEN)
    return state


def fractions(seed: int, stream: int, *numbers) -> np.ndarray:
    """Uniform numbers in [0, 1), one for each tuple of whole numbers; see `hashed`."""
    return _fraction(hashed(seed, stream, *numbers))


def _fraction(words: np.ndarray) -> np.ndarray:
    return (words >> np.uint64(11)) * 2.0**-53


def _mix(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def permutations(seed: int, stream: int, numbers: np.ndarray, size: int) -> np.ndarray:
    """The permutations of 0 .. size-1 with the given numbers, one a row: int64 [len(numbers), size]."""
    words = hashed(seed, stream, np.asarray(numbers)[:, None], np.arange(size)[None, :])
    return np.argsort(words, axis=1, kind="stable")
