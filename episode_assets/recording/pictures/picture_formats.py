"""What kind of picture a message holds, told without decoding it: the one place of format names.

Names of raw encodings stay as they are written; compressed ones get one name each. What the bytes become belongs to
`depth_pictures` and to `video`.
"""

from __future__ import annotations

from episode_assets.recording.encodings.rows import ImageRow

COMPRESSED_DEPTH_HEAD = 12
"""Bytes before the picture of `compressedDepth`: int32 kind, float32 A, float32 B."""

_PNG = b"\x89PNG"
_HEADS = ((0, b"\xff\xd8", "jpeg"), (0, _PNG, "png"), (8, b"WEBP", "webp"), (4, b"ftypavif", "avif"))
_HEAD_BYTES = COMPRESSED_DEPTH_HEAD + len(_PNG)

_WORDS = (
    ("jpeg", "jpeg"),
    ("jpg", "jpeg"),
    ("png", "png"),
    ("webp", "webp"),
    ("avif", "avif"),
    ("h264", "h264"),
    ("avc", "h264"),
    ("h265", "h265"),
    ("hevc", "h265"),
    ("av1", "av1"),
    ("vp9", "vp9"),
)
"""Words in the text of a message, and the format that they mean; the first that occurs decides."""

RAW_DEPTH_FORMATS = frozenset({"16UC1", "mono16", "Z16", "32FC1"})
_PNG_BIT_DEPTH_AT, _PNG_COLOUR_TYPE_AT = 24, 25


def picture_format(row: ImageRow) -> str:
    """Return the format of a picture; for compressed ones the payload's own marker is trusted over the text."""
    if row.width is not None:
        return row.format
    name = row.format.lower()
    head = bytes(row.data[:_HEAD_BYTES])
    if "compresseddepth" in name or (head[COMPRESSED_DEPTH_HEAD:] == _PNG and not head.startswith(_PNG)):
        packing = "rvl" if "rvl" in name else "png"
        return f"compressedDepth {packing}" if "32fc1" not in name else f"compressedDepth {packing} 32FC1"
    for at, magic, found in _HEADS:
        if head.startswith(magic, at):
            return found
    plain = name.replace(".", "")  # h.264 is h264
    return next((found for word, found in _WORDS if word in plain), row.format)


def is_depth_picture(row: ImageRow) -> bool:
    """Whether a picture has one channel of 16 or 32 bits, as depth has; told without decoding it."""
    name = picture_format(row)
    if name == "png" and len(row.data) > _PNG_COLOUR_TYPE_AT:
        return row.data[_PNG_BIT_DEPTH_AT] == 16 and row.data[_PNG_COLOUR_TYPE_AT] == 0
    return name in RAW_DEPTH_FORMATS or name.startswith("compressedDepth")
