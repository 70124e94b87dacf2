"""What kind of file this is, told by its first bytes, so that a wrong file is named instead of "invalid magic".

Add a format here when users hand it in by mistake. Reading any of them does not belong here.
"""

from __future__ import annotations

from episode_assets.errors import BadRecording
from episode_assets.recording.source import Source

MCAP_MAGIC = b"\x89MCAP0\r\n"
_MANGLED = (
    b"\x89MCAP0\n",
    b"\x89MCAP0\r\r\n",
    b"\xefMCAP0",
    b"\xc2\x89MCAP0",
    b"?MCAP0",
    b"\xef\xbf\xbdMCAP0",
)
_HEAD_BYTES = 64

_FORMATS: tuple[tuple[bytes, str, str], ...] = (
    (b"\x28\xb5\x2f\xfd", "the whole file is compressed with zstd", "unpack it first: zstd -d FILE"),
    (b"\x1f\x8b", "the whole file is compressed with gzip", "unpack it first: gunzip FILE"),
    (b"\x04\x22\x4d\x18", "the whole file is compressed with lz4", "unpack it first: lz4 -d FILE"),
    (b"BZh", "the whole file is compressed with bzip2", "unpack it first: bunzip2 FILE"),
    (b"PK\x03\x04", "a zip archive, not an MCAP file", "unpack it and give the .mcap file inside"),
    (b"#ROSBAG V", "a ROS 1 bag, not an MCAP file", "convert it: mcap convert FILE.bag FILE.mcap"),
    (
        b"SQLite format 3\x00",
        "a SQLite database (ROS 2 bag?), not an MCAP file",
        "convert it: ros2 bag convert",
    ),
    (b"\x89HDF", "an HDF5 file, not an MCAP file", "give the original recording"),
    (b"\xff\xd8\xff", "a JPEG picture, not an MCAP file", "give the original recording"),
    (b"\x89PNG", "a PNG picture, not an MCAP file", "give the original recording"),
)


def require_mcap(source: Source) -> None:
    """Return if the file starts as an MCAP file; raise BadRecording that says what it is otherwise."""
    head = source.read_at(0, _HEAD_BYTES)
    if head.startswith(MCAP_MAGIC):
        return
    what, remedy = _describe(head)
    raise BadRecording(what, where=source.uri, remedy=remedy)


_COPY_AGAIN = "copy the recording again"
_GIVE_MCAP = "give the .mcap file itself"
_TEXT_BYTES = frozenset(b"\t\n\r\f") | frozenset(range(32, 127))


def _describe(head: bytes) -> tuple[str, str]:
    """Return what the file is and what to do, from its first bytes."""
    for magic, what, remedy in _FORMATS:
        if head.startswith(magic):
            return what, remedy
    for holds, what, remedy in (
        (not head, "the file is empty (0 bytes)", _COPY_AGAIN),
        (
            MCAP_MAGIC.startswith(head),
            f"the file is cut after {len(head)} bytes, inside the first marker",
            _COPY_AGAIN,
        ),
        (
            head.startswith(_MANGLED),
            "line endings were changed on the way (the first marker is mangled by a text-mode copy)",
            "copy the recording again in binary mode",
        ),
        (head[4:8] == b"ftyp", "an MP4 video, not an MCAP file", "give the original recording"),
        (not any(head), "the file starts with zeros (a failed copy or a lost disk block)", _COPY_AGAIN),
        (_TEXT_BYTES.issuperset(head), "a text file, not an MCAP file", _GIVE_MCAP),
    ):
        if holds:
            return what, remedy
    return f"not an MCAP file (it starts with {head[:8].hex(' ')})", _GIVE_MCAP
