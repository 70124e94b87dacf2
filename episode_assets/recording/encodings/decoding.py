"""What a decoder of one channel is, and how a type is named.

Which decoder reads which channel is decided in `decoders`; how each encoding is read belongs to its own module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

from episode_assets.recording.encodings.rows import ImageRow, Kind, Row

Rows: TypeAlias = Callable[[memoryview], Sequence[Row]]
"""From a payload to its rows; raises UndecodableMessageError and nothing else."""

ChannelType: TypeAlias = tuple[str, str, str, bytes]
"""What decides how a channel is read: message encoding, schema encoding, schema name, schema data."""


@dataclass(frozen=True)
class Decoder:
    """How the messages of one channel are read: the kind of rows, and the function from payload to rows.

    To another process travels the description of the channel, and the decoder is found anew there: classes made from
    a schema cannot be pickled. `find_decoder` sets it.
    """

    kind: Kind
    rows: Rows
    channel: ChannelType = ("", "", "", b"")

    def __reduce__(self) -> tuple[object, ...]:
        from episode_assets.recording.encodings.decoders import find_decoder

        return find_decoder, self.channel

    def image(self, payload: memoryview) -> ImageRow:
        """Return the one picture of a message; raises UndecodableMessageError."""
        (row,) = self.rows(payload)
        return cast(ImageRow, row)


@dataclass(frozen=True)
class Undecodable:
    """Why the messages of a channel cannot be read."""

    reason: str


def plain_type(schema_name: str) -> str:
    """Return a type as package and last part: `sensor_msgs/msg/Image` and `sensor_msgs::msg::Image` are one."""
    parts = schema_name.replace("::", "/").split("/")
    return f"{parts[0]}/{parts[-1]}" if len(parts) > 1 else schema_name
