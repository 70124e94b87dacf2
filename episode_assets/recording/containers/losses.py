"""What a damaged stretch of an MCAP file cost: how many messages of which topics.

The message indexes behind the stretch tell; where there are none, the number is reckoned from sizes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from episode_assets.recording.containers.container import Container, Damage
from episode_assets.recording.containers.summary import Summary


@dataclass
class _Open:
    """A stretch whose losses are not yet known."""

    damage: Damage
    kept: Counter[int]
    estimate: int | None
    indexed: Counter[int] = field(default_factory=Counter)


class Losses:
    """Books damage into a container as soon as it is known what was lost.

    Args:
        container: Takes the damage, and names the channels.
        summary: Gives the index at the end of the file, if there is one.
    """

    def __init__(self, container: Container, summary: Callable[[], Summary | None]) -> None:
        self._container = container
        self._summary = summary
        self._open: _Open | None = None

    @property
    def is_open(self) -> bool:
        """Whether a stretch waits for what follows it."""
        return self._open is not None

    def begin(self, damage: Damage, *, kept: Mapping[int, int], estimate: float | None) -> None:
        """Take a damaged stretch.

        Args:
            damage: Where it is, and what was found.
            kept: Messages of it that were read all the same, by channel.
            estimate: Messages of the stretch, kept ones included, reckoned from sizes; None where nothing was read
                yet to reckon with.
        """
        self.settle()
        self._open = _Open(damage, Counter(kept), None if estimate is None else max(round(estimate), 0))

    def keep(self, channel_id: int) -> None:
        """Count a message that was found inside the stretch."""
        if self._open is not None:
            self._open.kept[channel_id] += 1

    def index(self, channel_id: int, messages: int) -> None:
        """Take what a message index behind the stretch says about its chunk."""
        if self._open is not None:
            self._open.indexed[channel_id] += messages

    def settle(self) -> None:
        """Book the stretch that is open: nothing that follows tells more about it."""
        if self._open is None:
            return
        stretch, self._open = self._open, None
        if stretch.indexed:
            lost = stretch.indexed - stretch.kept
            known = replace(stretch.damage, topics=self._topics(lost), messages=lost.total())
        else:
            kept = stretch.kept.total()
            estimate = None if stretch.estimate is None else max(stretch.estimate - kept, 0)
            topics = self._topics(self._channels_of(stretch.damage))
            known = replace(
                stretch.damage, topics=topics, messages=estimate, is_estimate=estimate is not None
            )
        self._container.keep_damage(known)

    def _channels_of(self, damage: Damage) -> set[int]:
        """Return the channels of the chunks that the file's own index places inside a stretch."""
        summary = self._summary()
        if summary is None:
            return set()
        inside = range(damage.offset, damage.offset + damage.length)
        chunks = (chunk for chunk in summary.chunks if chunk.chunk_start_offset in inside)
        return {channel_id for chunk in chunks for channel_id in chunk.message_index_offsets}

    def _topics(self, channel_ids: Mapping[int, int] | set[int]) -> tuple[str, ...]:
        summary = self._summary()
        known = {**(summary.container.channels if summary else {}), **self._container.channels}
        return tuple(sorted({known[number].topic for number in channel_ids if number in known}))
