"""Two picture streams of one recording read side by side, so that a compressed chunk that holds both is read once.

Reading one stream after the other would unpack every chunk twice: recorders put all topics into each chunk.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from episode_assets.recording.containers.payloads import PayloadReader
from episode_assets.recording.pictures.images import ImageMessage, ImageStream, PictureStep, UndecodableImage


class PairedReading:
    """Reads pictures of a first stream, and keeps what lies beside them of a second one until it is asked for.

    Payloads that lie in the file itself cost only their own bytes; they are never kept, and read when needed.

    Args:
        first: The stream that is read first, from `steps`.
        second: The stream that is asked for later, by `read_past_damage`.
        most_bytes: Largest sum of payloads that are kept; the others are read again.
    """

    def __init__(self, first: ImageStream, second: ImageStream, *, most_bytes: int) -> None:
        self._first, self._second = first, second
        self._most_bytes = most_bytes
        self._kept: dict[int, memoryview] = {}
        self._kept_bytes = 0

    def steps(self, start: int, stop: int) -> Iterator[PictureStep]:
        """Yield the messages that pictures `[start, stop)` of the first stream need, like `ImageStream.steps`."""
        return self._first.steps_at(self._first.rows_for(start, stop), on_chunk=self._keep)

    def read_past_damage(
        self, start: int, stop: int
    ) -> Iterator[tuple[int, ImageMessage | UndecodableImage]]:
        """Yield position and picture of `[start, stop)` of the second stream, like `ImageStream.read_past_damage`."""
        positions = range(start, min(stop, len(self._second)))
        for is_kept, run in groupby(positions, self._kept.__contains__):
            if is_kept:
                yield from (
                    (position, self._second.message_at(position, self._kept[position])) for position in run
                )
            else:
                missing = list(run)
                yield from self._second.read_past_damage(missing[0], missing[-1] + 1)

    def _keep(self, chunk: int, payloads: PayloadReader) -> None:
        for position in self._second.positions_in(chunk).tolist():
            place = self._second.place_of(position)
            if position not in self._kept and self._kept_bytes + place[2] <= self._most_bytes:
                # A copy: the view would hold on to the whole chunk.
                self._kept[position] = memoryview(bytes(payloads.get(*place)))
                self._kept_bytes += place[2]
