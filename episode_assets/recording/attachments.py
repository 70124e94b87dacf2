"""Attachments of a recording: what they are called, where they lie, and their bytes when somebody asks.

They may hold anything, pictures of people included: like all private metadata they stay in `raw_mcap`, and nothing is
copied out of the recording by this package.
"""

from __future__ import annotations

from dataclasses import dataclass

from isal.isal_zlib import crc32

from episode_assets.errors import BadRecording, SourceChanged
from episode_assets.recording.containers.container import AttachmentPlace
from episode_assets.recording.containers.source import Source

_TIMES_AND_LENGTHS_BYTES = 8 + 8 + 4 + 4 + 8


@dataclass(frozen=True)
class Attachment:
    """One attachment; cheap until `read`.

    Attributes:
        place: Its name, media type, times, size and place.
        source: Address of the recording.
    """

    place: AttachmentPlace
    source: str

    def read(self) -> bytes:
        """Return the bytes from the recording itself.

        Raises:
            SourceChanged: The recording ends before them.
            BadRecording: They do not match the checksum that the recording gives them.
        """
        with Source(self.source) as source:
            return attachment_bytes(source, self.place)


def attachment_bytes(source: Source, place: AttachmentPlace) -> bytes:
    """Return the bytes of an attachment from an open recording.

    Raises:
        SourceChanged: The recording ends before them.
        BadRecording: They do not match the checksum that the recording gives them.
    """
    head_bytes = _TIMES_AND_LENGTHS_BYTES + len(place.name.encode()) + len(place.media_type.encode())
    record = source.read_at(place.offset - head_bytes, head_bytes + place.length)
    if len(record) != head_bytes + place.length:
        raise SourceChanged(
            f"the recording ends before attachment {place.name!r}",
            where=source.uri,
            remedy="register the changed file as a new recording",
        )
    # 0 means that the writer computed none.
    if place.crc and crc32(record) != place.crc:
        raise BadRecording(
            f"attachment {place.name!r} at byte {place.offset} does not match its checksum",
            where=source.uri,
            remedy="copy the recording again from the device",
        )
    return record[head_bytes:]
