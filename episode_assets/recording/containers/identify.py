"""What kind of file this is, told by its first bytes, so that a wrong file is named instead of "invalid magic".

Add a format here when users hand it in by mistake. Reading any of them does not belong here.
"""

from __future__ import annotations

from episode_assets.errors import BadRecording
from episode_assets.recording.containers.bag_records import BAG_MAGIC
from episode_assets.recording.containers.source import Source

MCAP_MAGIC = b"\x89MCAP0\r\n"

MCAP, ROS1_BAG, SQLITE = "mcap", "ros1 bag", "sqlite3"
"""Names of the formats that have a walk of their own."""

_MANGLED = (
    b"\x89MCAP0\n",
    b"\x89MCAP0\r\r\n",
    b"\xefMCAP0",
    b"\xc2\x89MCAP0",
    b"?MCAP0",
    b"\xef\xbf\xbdMCAP0",
)
_HEAD_BYTES = 64

_WALKED: tuple[tuple[bytes, str], ...] = (
    (MCAP_MAGIC, MCAP),
    (BAG_MAGIC, ROS1_BAG),
    (b"SQLite format 3\x00", SQLITE),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x1f\x8b", "gzip"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"BZh", "bz2"),
)
_FORMATS: tuple[tuple[bytes, str, str], ...] = (
    (b"PK\x03\x04", "a zip archive, no recording", "unpack it and give the recording inside"),
    (b"#ROSBAG V", "a ROS 1 bag of another version than 2.0", "convert it: rosbag fix FILE OUT"),
    (b"\x89HDF", "an HDF5 file, no recording", "give the original recording"),
    (b"\xff\xd8\xff", "a JPEG picture, no recording", "give the original recording"),
    (b"\x89PNG", "a PNG picture, no recording", "give the original recording"),
)


def format_of(source: Source) -> str:
    """Return what kind of recording a file is: MCAP, ROS1_BAG, SQLITE, or the name of a compression around one.

    Raises:
        BadRecording: It is something else; says what.
    """
    head = source.read_at(0, _HEAD_BYTES)
    for magic, name in _WALKED:
        if head.startswith(magic):
            return name
    what, remedy = _describe(head)
    raise BadRecording(what, where=source.uri, remedy=remedy)


_COPY_AGAIN = "copy the recording again"
_GIVE_RECORDING = "give the recording itself: an .mcap, .bag or .db3 file"
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
        (head[4:8] == b"ftyp", "an MP4 video, no recording", "give the original recording"),
        (not any(head), "the file starts with zeros (a failed copy or a lost disk block)", _COPY_AGAIN),
        (_TEXT_BYTES.issuperset(head), "a text file, no recording", _GIVE_RECORDING),
    ):
        if holds:
            return what, remedy
    return f"no recording of a known format (it starts with {head[:8].hex(' ')})", _GIVE_RECORDING
