"""Missing pictures in H.264, told from the numbers in its slices.

libav conceals a lost reference picture without an error: the pictures behind it come out smeared. Reference pictures
are numbered (`frame_num`, ITU-T H.264 7.4.3), so a step of more than one betrays the loss. H.265 needs no help, its
decoder refuses what it has no reference for; AV1 and VP9 carry no such numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_UNIT = re.compile(b"\x00\x00\x01(.)", re.DOTALL)
_SLICE, _IDR_SLICE, _SPS = 1, 5, 7
_SLICE_HEAD_BYTES, _SPS_BYTES = 24, 512
_PROFILES_WITH_CHROMA = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_LARGEST_ZEROS = 32


@dataclass(frozen=True)
class _Numbering:
    """What a sequence parameter set says about numbers: bits of a number, and whether gaps are allowed."""

    bits: int
    may_skip: bool
    has_separate_planes: bool


class FrameNumbers:
    """Follows the numbers of one stream, picture by picture in the order of decoding."""

    def __init__(self) -> None:
        self._numbering: _Numbering | None = None
        self._reference = 0

    def continues(self, payload: memoryview) -> bool:
        """Take a picture and say whether none is missing before it; true where the numbers cannot be read."""
        try:
            return self._take(payload)
        except (IndexError, ValueError):
            return True

    def _take(self, payload: memoryview) -> bool:
        for match in _UNIT.finditer(payload):
            head, at = match[1][0], match.end()
            kind = head & 31
            if kind == _SPS:
                self._numbering = _numbering(_Bits(payload[at : at + _SPS_BYTES]))
            elif kind in (_SLICE, _IDR_SLICE) and self._numbering is not None:
                return self._continues_at(_Bits(payload[at : at + _SLICE_HEAD_BYTES]), head, self._numbering)
        return True

    def _continues_at(self, bits: _Bits, head: int, numbering: _Numbering) -> bool:
        for _ in ("first_mb_in_slice", "slice_type", "pic_parameter_set_id"):
            bits.unsigned()
        bits.take(2 if numbering.has_separate_planes else 0)
        number = bits.take(numbering.bits)
        step = (number - self._reference) % (1 << numbering.bits)
        is_whole = head & 31 == _IDR_SLICE or step <= 1 or numbering.may_skip
        if head & 0x60:  # nal_ref_idc: later pictures may refer to this one
            self._reference = number
        return is_whole


def _numbering(bits: _Bits) -> _Numbering:
    profile = bits.take(8)
    bits.take(16)
    bits.unsigned()
    has_separate_planes = False
    if profile in _PROFILES_WITH_CHROMA:
        chroma = bits.unsigned()
        has_separate_planes = chroma == 3 and bool(bits.take(1))
        bits.unsigned(), bits.unsigned(), bits.take(1)
        if bits.take(1):
            _pass_scaling_matrices(bits, 12 if chroma == 3 else 8)
    number_bits = bits.unsigned() + 4
    order = bits.unsigned()
    if order == 0:
        bits.unsigned()
    elif order == 1:
        bits.take(1), bits.unsigned(), bits.unsigned()
        for _ in range(bits.unsigned()):
            bits.unsigned()
    bits.unsigned()
    return _Numbering(number_bits, bool(bits.take(1)), has_separate_planes)


def _pass_scaling_matrices(bits: _Bits, count: int) -> None:
    for index in range(count):
        if not bits.take(1):
            continue
        last = following = 8
        for _ in range(16 if index < 6 else 64):
            if following:
                following = (last + bits.signed()) % 256
            last = following or last


class _Bits:
    """Reads the bits of a NAL unit, most significant first; raises IndexError behind its end."""

    def __init__(self, unit: memoryview) -> None:
        # 00 00 03 stands for 00 00 inside a unit.
        data = bytes(unit).replace(b"\x00\x00\x03", b"\x00\x00")
        self._value, self._left = int.from_bytes(data), 8 * len(data)

    def take(self, count: int) -> int:
        """Return the next `count` bits."""
        self._left -= count
        if self._left < 0:
            raise IndexError("behind the end of the unit")
        return self._value >> self._left & ((1 << count) - 1)

    def unsigned(self) -> int:
        """Return an Exp-Golomb number (ITU-T H.264 9.1)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > _LARGEST_ZEROS:
                raise ValueError("no number of 32 bits")
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        """Return a signed Exp-Golomb number (9.1.1)."""
        code = self.unsigned()
        return (code + 1) // 2 if code % 2 else -(code // 2)
