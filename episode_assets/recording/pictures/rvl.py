"""RVL, the lossless packing of 16-bit depth in `compressedDepth` messages.

Format: A. Wilson, "Fast Lossless Depth Image Compression", ISS 2017. Numbers are written in groups of 3 bits, the
lowest group first, with a fourth bit that says whether another group follows; eight such nibbles make a 32-bit
little-endian word, the highest nibble first. The stream alternates: how many zeros, how many other values, and for
each of those its difference to the last other value, zigzag-coded (0, -1, 1, -2, ...).
"""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

_LARGEST_GROUPS = 11
"""Groups of a number of 32 bits."""


class RvlError(ValueError):
    """The stream does not describe a picture of the stated size."""


def decode_rvl(data: memoryview, *, count: int) -> NDArray[np.uint16]:
    """Return the values of a stream as (count,) uint16, `count` at least 1; memory is some 60 bytes for each value.

    Raises:
        RvlError: The stream ends early, or describes more than `count` values.
    """
    numbers = _numbers(data, most=2 * count + 1)
    zeros, others, headers = _runs(numbers, count)
    is_delta = np.ones(headers[-1] + 2 + others[-1], dtype=np.bool_)
    at = np.frombuffer(headers, dtype=np.int64)
    is_delta[at] = is_delta[at + 1] = False
    zigzag = numbers[: len(is_delta)][is_delta]
    values = np.cumsum((zigzag >> 1) ^ -(zigzag & 1))
    lengths = np.stack([np.frombuffer(zeros, np.int64), np.frombuffer(others, np.int64)], axis=1).ravel()
    is_other = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    picture = np.zeros(count, dtype=np.uint16)
    # Encoders compute in 16 bits, so that values above 32767 come back as negative ones.
    picture[is_other] = (values & 0xFFFF).astype(np.uint16)
    return picture


def _numbers(data: memoryview, *, most: int) -> NDArray[np.int64]:
    """Return at most `most` numbers of a stream."""
    words = len(data) // 4
    swapped = np.frombuffer(data[: words * 4], dtype="<u4").astype(">u4").view(np.uint8)
    nibbles = np.empty(words * 8, dtype=np.uint8)
    nibbles[0::2], nibbles[1::2] = swapped >> 4, swapped & 15
    ends = np.flatnonzero(nibbles < 8)[:most]
    if not len(ends):
        return np.empty(0, np.int64)
    starts = np.concatenate([[0], ends[:-1] + 1])
    if int((ends - starts).max()) >= _LARGEST_GROUPS:
        raise RvlError(f"a number of more than {_LARGEST_GROUPS} groups of 3 bits")
    numbers = (nibbles[ends] & 7).astype(np.int64)
    # From the highest group of each number down to its lowest; few numbers have more than two.
    longer, at = np.flatnonzero(ends > starts), ends - 1
    while len(longer):
        numbers[longer] = numbers[longer] << 3 | (nibbles[at[longer]] & 7)
        at[longer] -= 1
        longer = longer[at[longer] >= starts[longer]]
    return numbers


def _runs(numbers: NDArray[np.int64], count: int) -> tuple[array[int], array[int], array[int]]:
    """Return for each run its zeros, its other values, and the index of the number it begins with."""
    zeros, others, headers = array("q"), array("q"), array("q")
    known, done, at = numbers.data, 0, 0
    while done < count:
        if at + 1 >= len(known):
            raise RvlError(f"the stream ends after {done} of {count} values")
        zero, other = known[at], known[at + 1]
        done += zero + other
        if done > count or at + 2 + other > len(known):
            raise RvlError(f"a run of {zero} zeros and {other} values does not fit: {done} of {count} values")
        zeros.append(zero)
        others.append(other)
        headers.append(at)
        at += 2 + other
    return zeros, others, headers
