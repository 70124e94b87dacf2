"""Where decoding of a video can begin: told from the first bytes of each message, without decoding it.

A picture of a video needs the pictures of its group before it, back to a key frame that carries everything a decoder
must know. Stills are key frames all. Finding the codec of a message belongs to `picture_formats`, decoding to `video`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum

_START_CODE = re.compile(b"\x00\x00\x01(.)", re.DOTALL)

_H264_SLICES, _H264_IDR, _H264_PARAMETERS = range(1, 6), 5, 7
_H265_SLICES, _H265_CLOSED, _H265_CRA, _H265_PARAMETERS = range(32), range(16, 21), 21, 33
_AV1_SEQUENCE_HEADER, _AV1_FRAMES = 1, frozenset({3, 6})
_VP9_MARKER = 2


class GroupStart(IntEnum):
    """Whether a decoder can begin at a message. The values are those of the column `group_start`."""

    NONE = 0
    """No: the picture needs others before it, or the parameter sets are missing."""

    OPEN = 1
    """Yes, but pictures shown before this one and stored behind it need the group before as well."""

    CLOSED = 2
    """Yes, and nothing behind it needs anything before it."""


def group_start(format: str, data: memoryview) -> GroupStart:  # noqa: A002  # the word of image messages
    """Say whether decoding can begin at a message.

    A key frame without its parameter sets (H.264 SPS, H.265 SPS, AV1 sequence header) does not count, since a decoder
    that comes from nowhere fails at it.

    Args:
        format: Name of a codec in `VIDEO_FORMATS`; everything else is a still.
        data: The payload: Annex B for H.264 and H.265, low-overhead OBUs for AV1, one frame for VP9.
    """
    look = _LOOKS.get(format)
    return GroupStart.CLOSED if look is None else look(data)


def _h264(data: memoryview) -> GroupStart:
    has_parameters = False
    for head in _unit_heads(data):
        kind = head & 31
        has_parameters |= kind == _H264_PARAMETERS
        if kind in _H264_SLICES:
            return GroupStart.CLOSED if kind == _H264_IDR and has_parameters else GroupStart.NONE
    return GroupStart.NONE


def _h265(data: memoryview) -> GroupStart:
    has_parameters = False
    for head in _unit_heads(data):
        kind = head >> 1 & 63
        has_parameters |= kind == _H265_PARAMETERS
        if kind in _H265_SLICES:
            if kind == _H265_CRA and has_parameters:
                return GroupStart.OPEN
            return GroupStart.CLOSED if kind in _H265_CLOSED and has_parameters else GroupStart.NONE
    return GroupStart.NONE


def _unit_heads(data: memoryview) -> Iterator[int]:
    """Yield the first byte of each NAL unit."""
    return (match[1][0] for match in _START_CODE.finditer(data))


def _av1(data: memoryview) -> GroupStart:
    at = 0
    while at < len(data):
        kind, has_extension, has_size = data[at] >> 3 & 15, data[at] & 4, data[at] & 2
        if kind == _AV1_SEQUENCE_HEADER:
            return GroupStart.CLOSED
        if kind in _AV1_FRAMES or not has_size:
            return GroupStart.NONE
        at += 2 if has_extension else 1
        size, shift = 0, 0
        while at < len(data):
            size |= (data[at] & 127) << shift
            at, shift = at + 1, shift + 7
            if not data[at - 1] & 128:
                break
        at += size
    return GroupStart.NONE


def _vp9(data: memoryview) -> GroupStart:
    if not len(data) or data[0] >> 6 != _VP9_MARKER:
        return GroupStart.NONE
    # Profile 3 has a reserved bit before show_existing_frame and frame_type; both must be 0.
    shift = 1 if data[0] >> 4 & 3 == 3 else 2
    return GroupStart.NONE if data[0] >> shift & 3 else GroupStart.CLOSED


_LOOKS: Mapping[str, Callable[[memoryview], GroupStart]] = {
    "h264": _h264,
    "h265": _h265,
    "av1": _av1,
    "vp9": _vp9,
}

VIDEO_FORMATS = frozenset(_LOOKS)
"""Formats whose pictures need other pictures."""
