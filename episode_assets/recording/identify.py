"""What kind of file this is, told by its first bytes, so that a wrong file is named instead of "invalid magic".

Add a format here when users hand it in by mistake. Reading any of them does not belong here.
"""

from __future__ import annotations

from episode_assets.errors import BadRecording
from episode_assets.recording.source import Source

MCAP_MAGIC = b"\x89MCAP0\r\n"
_MANGLED = (b"\x89MCAP0\n", b"\x89MCAP0\r\r\n", b"\xefMCAP0", b"\xc2\x89MCAP0", b"?MCAP0", b"\xef\xbf\xbdMCAP0")
_HEAD_BYTES = 64

_FORMATS: tuple[tuple[bytes, str, str], ...] = (
    (b"\x28\xb5\x2f\xfd", "the whole file is compressed with zstd", "unpack it first: zstd -d FILE"),
    (b"\x1f\x8b", "the whole file is compressed with gzip", "unpack it first: gunzip FILE"),
    (b"\x04\x22\x4d\x18", "the whole file is compressed with lz4", "unpack it first: lz4 -d FILE"),
    (b"BZh", "the whole file is compressed with bzip2", "unpack it first: bunzip2 FILE"),
    (b"PK\x03\x04", "a zip archive, not an MCAP file", "unpack it and give the .mcap file inside"),
    (b"#ROSBAG V", "a ROS 1 bag, not an MCAP file", "convert it: mcap convert FILE.bag FILE.mcap"),
    (b"SQLite format 3\x00", "a SQLite database (ROS 2 bag?), not an MCAP file", "convert it: ros2 bag convert"),
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


def _describe(head: bytes) -> tuple[str, str]:
    if not head:
        return "the file is empty (0 bytes)", "copy the recording again"
    if MCAP_MAGIC.startswith(head):
        return f"the file is cut after {len(head)} bytes, inside the first marker", "copy the recording again"
    if head.startswith(_MANGLED):
        return (
            "line endings were changed on the way (the marker at the start is mangled by a text-mode copy)",
            "copy the recording again in binary mode",
        )
    for magic, what, remedy in _FORMATS:
        if head.startswith(magic):
            return what, remedy
    if head[4:8] == b"ftyp":
        return "an MP4 video, not an MCAP file", "give the original recording"
    if all(byte in b"\t\n\r\f" or 32 <= byte < 127 for byte in head):
        return "a text file, not an MCAP file", "give the .mcap file itself"
    if not any(head):
        return "the file starts with zeros (a failed copy or a lost disk block)", "copy the recording again"
    return f"not an MCAP file (it starts with {head[:8].hex(' ')})", "give the .mcap file itself"
