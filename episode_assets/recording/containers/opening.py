"""Which walk reads a file: told by its first bytes, never by its name."""

from __future__ import annotations

from typing import TypeAlias

from episode_assets.errors import BadRecording
from episode_assets.progress import Progress, silent
from episode_assets.recording.containers.bag import BagWalk
from episode_assets.recording.containers.compressed import COMPRESSIONS, CompressedSource
from episode_assets.recording.containers.identify import MCAP, ROS1_BAG, SQLITE, format_of
from episode_assets.recording.containers.source import Source
from episode_assets.recording.containers.sqlite_bag import SqliteWalk
from episode_assets.recording.containers.walk import Walk

AnyWalk: TypeAlias = Walk | BagWalk | SqliteWalk

_WALKS: dict[str, type[Walk] | type[BagWalk] | type[SqliteWalk]] = {
    MCAP: Walk,
    ROS1_BAG: BagWalk,
    SQLITE: SqliteWalk,
}
_REPAIR = "make a plain recording of it first: episode-assets repair FILE OUT.mcap"


def open_walk(
    source: Source,
    *,
    max_chunk_bytes: int,
    with_digest: bool = True,
    progress: Progress = silent,
    through_compression: bool = False,
) -> AnyWalk:
    """Return the walk for the format of a file.

    Args:
        source: The file.
        max_chunk_bytes: Largest chunk or message that is unpacked.
        with_digest: Whether the walk digests what it reads.
        progress: Told the bytes that are done.
        through_compression: Read through a compression around the whole file. The places of messages, the offsets of
            damage and the digest are then those of the unpacked file, where no payload can be read again.

    Raises:
        BadRecording: The file is no recording, or may not be read through its compression; says what it is instead.
    """
    found = format_of(source)
    if found in COMPRESSIONS:
        if not through_compression:
            raise BadRecording(
                f"the whole file is compressed with {found}: its pictures could not be found again",
                where=source.uri,
                remedy=_REPAIR,
            )
        source = CompressedSource(source, found)
        found = _format_inside(source, found)
    return _WALKS[found](source, max_chunk_bytes=max_chunk_bytes, with_digest=with_digest, progress=progress)


def _format_inside(source: Source, compression: str) -> str:
    inside = format_of(source)
    if inside in COMPRESSIONS or inside == SQLITE:
        raise BadRecording(
            f"compressed with {compression}, and {inside} inside: it cannot be read through both",
            where=source.uri,
            remedy="unpack it first",
        )
    return inside
