"""From a decoded message to its rows, with every way in which that can fail under one name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from episode_assets.recording.encodings.decoding import Rows
from episode_assets.recording.encodings.fields import Fields
from episode_assets.recording.encodings.rows import Row, UndecodableMessageError


def mapped_rows(read: Callable[[memoryview], Fields], mapper: Callable[[Fields], Sequence[Row]]) -> Rows:
    """Return the function from a payload to its rows; it raises UndecodableMessageError and nothing else."""

    def rows(payload: memoryview) -> Sequence[Row]:
        try:
            return mapper(read(payload))
        except UndecodableMessageError:
            raise
        except (ValueError, TypeError, OverflowError, AttributeError) as error:
            # A schema that lies about its types: a number where a message belongs, a list where a number belongs.
            raise UndecodableMessageError(f"a field has another type than its name says: {error}") from error

    return rows
