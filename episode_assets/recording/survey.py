"""From a finished walk to an inventory: figures per topic, roles, gravity, frames.

`scan` and `inspect` both end here; what they read before differs, what they say does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import BadRecording
from episode_assets.recording.collect import IMU_WIDTH, Key, TopicLog
from episode_assets.recording.config import RecordingConfig
from episode_assets.recording.containers.container import Container, StoredMessage
from episode_assets.recording.encodings.decoders import Decoder, find_decoder
from episode_assets.recording.frame_tree import derive_pose, link_of
from episode_assets.recording.inventory import Gap, Inventory, RoleChoice, TopicInfo
from episode_assets.recording.long_columns import LongColumn, Spool
from episode_assets.recording.pose_from_tf import PoseFromTf
from episode_assets.recording.roles import (
    KINDS_OF_ROLE,
    UNITED_ROLES,
    Candidate,
    choose_roles,
    is_pose_in_fixed_frame,
    told_by_name,
)
from episode_assets.recording.sync import SYNC_PAIRS, SyncInfo, sync_of
from episode_assets.recording.timeline import LogOffset, clock_of, gap_before, log_offset, median_step_ns
from episode_assets.recording.wall_clock import log_time_unit, wall_clock_of

STANDARD_GRAVITY_RANGE = (9.3, 10.3)
REMOVED_BELOW = 1.5
QUIET_RAD_S = 0.1
_FEW_SAMPLES = 20
_ABSURD_M_S2 = 1e6
_FEW_DAMAGES = 3
_SEVERAL_ROWS_PER_STAMP = frozenset({"tf", "trajectory", "mesh"})
"""Kinds whose messages hold several rows, which may share a stamp without being repeated."""
_DEFAULT = RecordingConfig()


class Logs:
    """The logs of all topics of a walk, and the order in which their messages came."""

    def __init__(
        self, container: Container, config: RecordingConfig = _DEFAULT, *, spool: Spool | None = None
    ) -> None:
        """Begin with none; numbers that are old go to the spool, or stay in memory without one."""
        self._container = container
        self._spool = spool
        self._configured = {topic for topics in config.topic_map().values() for topic in topics}
        self._by_channel: dict[int, tuple[object, TopicLog]] = {}
        self._by_key: dict[Key, TopicLog] = {}
        self._last_log_ns: int | None = None
        self.messages = 0
        self.backward_steps = 0
        self.largest_backward_step_ns = 0

    def add(self, message: StoredMessage) -> None:
        """Give one message to the log of its topic."""
        self.log_of(message.channel_id).add(message, damages=self._container.damage_total)
        self.messages += 1
        if self._last_log_ns is not None and message.log_time_ns < self._last_log_ns:
            self.backward_steps += 1
            step = self._last_log_ns - message.log_time_ns
            self.largest_backward_step_ns = max(self.largest_backward_step_ns, step)
        self._last_log_ns = message.log_time_ns

    def add_indexed(self, channel_ids: NDArray[np.int64], log_times_ns: NDArray[np.int64]) -> None:
        """Count messages known from the index only, given in file order."""
        self.messages += len(log_times_ns)
        for channel_id in np.unique(channel_ids):
            self.log_of(int(channel_id)).all_log.frombytes(log_times_ns[channel_ids == channel_id].tobytes())
        last = [] if self._last_log_ns is None else [self._last_log_ns]
        steps = -np.diff(np.concatenate([np.array(last, dtype=np.int64), log_times_ns]))
        if len(steps):
            self.backward_steps += int(np.count_nonzero(steps > 0))
            self.largest_backward_step_ns = max(self.largest_backward_step_ns, int(steps.max()))
        if len(log_times_ns):
            self._last_log_ns = int(log_times_ns[-1])

    def log_of(self, channel_id: int) -> TopicLog:
        """Return the log of a channel; channels of one topic and type share it."""
        channel = self._container.channels[channel_id]
        known = self._by_channel.get(channel_id)
        # A file may define a channel id again with other content: the record object tells.
        if known is not None and known[0] is channel:
            return known[1]
        schema = self._container.schemas.get(channel.schema_id)
        name, encoding, data = (schema.name, schema.encoding, schema.data) if schema else ("", "", b"")
        key = (channel.topic, name, encoding, channel.message_encoding)
        log = self._by_key.get(key)
        if log is None:
            log = self._by_key[key] = self._new_log(key, data)
        self._by_channel[channel_id] = (channel, log)
        return log

    def _new_log(self, key: Key, schema_data: bytes) -> TopicLog:
        topic, name, schema_encoding, message_encoding = key
        decoder = find_decoder(message_encoding, schema_encoding, name, schema_data)
        kind = decoder.kind if isinstance(decoder, Decoder) else None
        keeps = topic in self._configured or told_by_name(kind, topic)
        return TopicLog(key, schema_data, decoder, keeps_content=keeps, spool=self._spool)

    def all(self) -> tuple[TopicLog, ...]:
        """Return the logs of every channel in the file, empty ones included, by topic and type."""
        for channel_id in self._container.channels:
            self.log_of(channel_id)
        for log in self._by_key.values():
            log.settle()
        return tuple(self._by_key[key] for key in sorted(self._by_key))


def candidates_of(logs: Iterable[TopicLog]) -> tuple[Candidate, ...]:
    """Return what the choice of roles has to know about each topic that can be decoded."""
    return tuple(
        Candidate(
            topic=log.topic,
            kind=log.kind,
            count=len(log.all_log) if log.stamp else 0,
            frame_id=log.frame_id,
            child_frame_id=log.child_frame_id,
            schema=log.schema,
            is_depth=log.is_depth,
            picture_size=log.picture_size,
            has_acceleration=log.kind == "imu" and log.has_acceleration(),
            has_turn_rates=log.kind == "imu" and log.has_turn_rates(),
            triangles=log.mesh.triangle_count,
        )
        for log in logs
        if log.kind is not None
    )


def logs_by_role(
    logs: Sequence[TopicLog], choices: Mapping[str, RoleChoice]
) -> dict[str, tuple[TopicLog, ...]]:
    """Return the logs that fill each role.

    Where a topic was written with several types or encodings, roles that unite topics take all of them; the others
    take the one with most messages, since numbers and decoders of one stream cannot be mixed.
    """
    chosen = {}
    for role, choice in choices.items():
        by_topic = [
            [log for log in logs if log.topic == topic and log.kind in KINDS_OF_ROLE[role]]
            for topic in choice.topics
        ]
        chosen[role] = tuple(
            log
            for found in by_topic
            if found
            for log in (found if role in UNITED_ROLES else [max(found, key=lambda log: len(log.all_log))])
        )
    return chosen


def require_readable(logs: Logs, container: Container, *, size_bytes: int, where: str) -> None:
    """Return unless the file is damaged so that not one message is readable; raises BadRecording then."""
    if logs.messages or not (container.truncated or container.damage):
        return
    if container.truncated:
        found = "; ".join(damage.detail for damage in container.damage[:_FEW_DAMAGES])
        what = f"the file is cut after {size_bytes} bytes, before the first whole chunk ({found})"
    else:
        first = container.damage[0]
        what = f"damaged at byte {first.offset}: {first.detail}"
    raise BadRecording(
        f"{what}; no message is readable", where=where, remedy="copy the recording again from the device"
    )


class Survey(NamedTuple):
    """All that a finished walk says.

    Attributes:
        inventory: What the recording holds.
        chosen: The logs that fill each role.
        pose: Poses that were put together from the frame tree, where no topic has them.
    """

    inventory: Inventory
    chosen: Mapping[str, tuple[TopicLog, ...]]
    pose: PoseFromTf | None


def survey(
    logs: Logs,
    container: Container,
    *,
    config: RecordingConfig,
    basis: str,
    size_bytes: int,
    sha256: str | None,
    where: str,
) -> Survey:
    """Return the inventory of a finished walk with the logs and poses that it speaks of.

    Raises:
        MissingStream: A configured topic is missing or of the wrong type.
    """
    topics = logs.all()
    choices = dict(choose_roles(candidates_of(topics), config, where=where))
    pose = None
    if basis == "scan":
        choices["pose"], pose = _pose_choice(choices["pose"], logs_by_role(topics, choices), config)
    chosen = logs_by_role(topics, choices)
    role_of = {id(log): role for role, members in chosen.items() for log in members}
    infos = tuple(topic_info(log, role_of.get(id(log)), config) for log in topics)
    log_bounds = [bounds for log in topics if (bounds := _bounds(log.all_log)) is not None]
    stamps = [info.first_ns for info in infos if info.first_ns is not None and info.time_basis == "stamp"]
    first = min((low for low, _ in log_bounds), default=None)
    first_stamp = min(stamps, default=None)
    metadata = dict(container.metadata)
    inventory = Inventory(
        basis=basis,
        size_bytes=size_bytes,
        sha256=sha256,
        profile=container.profile,
        library=container.library,
        chunks=container.chunks,
        compressions=tuple(sorted(name or "none" for name in container.compressions)),
        messages=logs.messages,
        clock=clock_of(first if first_stamp is None else first_stamp),
        first_ns=first,
        last_ns=max((high for _, high in log_bounds), default=None),
        backward_steps=logs.backward_steps,
        largest_backward_step_ns=logs.largest_backward_step_ns,
        truncated=container.truncated,
        cut_offset=container.cut_offset,
        damage=tuple(container.damage),
        damage_total=container.damage_total,
        topics=infos,
        roles=choices,
        gravity=gravity_of(chosen["imu"][0].floats.pieces(IMU_WIDTH))
        if chosen["imu"] and basis == "scan"
        else "unknown",
        link_from_optical=link_of(chosen, container.library, pose) if basis == "scan" else None,
        metadata=metadata,
        attachments=tuple(container.attachment_places),
        salvaged_messages=container.salvaged_messages,
        repeated_metadata=_repeated(name for name, _ in container.metadata),
        has_statistics=container.statistics is not None,
        wall_clock=wall_clock_of(
            first_stamp_ns=first if first_stamp is None else first_stamp,
            log_offsets=[info.log_offset for info in infos if info.log_offset is not None],
            metadata=metadata,
            where=where,
        ),
        log_time_unit=log_time_unit(first_stamp, first),
        sync=_sync(chosen, pose) if basis == "scan" else (),
    )
    return Survey(inventory, chosen, pose)


def _bounds(times_ns: LongColumn) -> tuple[int, int] | None:
    """Return the smallest and the largest of some times; None where there are none."""
    found = [(int(piece.min()), int(piece.max())) for piece in times_ns.pieces(1)]
    return (min(low for low, _ in found), max(high for _, high in found)) if found else None


def _pose_choice(
    choice: RoleChoice, chosen: Mapping[str, Sequence[TopicLog]], config: RecordingConfig
) -> tuple[RoleChoice, PoseFromTf | None]:
    """Return the choice of poses after a look at the frame tree, for recordings without poses in a fixed frame."""
    is_settled = "pose" in config.topic_map() or choice.is_ambiguous
    is_fixed = any(is_pose_in_fixed_frame(log.frame_id) for log in chosen["pose"])
    if is_settled or is_fixed or not chosen["tf"]:
        return choice, None
    found = derive_pose(chosen)
    if isinstance(found, str):
        reason = choice.reason if choice.topics else f"{choice.reason}; {found}"
        return replace(choice, reason=reason), None
    reason = f"derived from tf: {' > '.join(found.frames)}"
    derived = replace(choice, topics=(), reason=reason, frames=found.frames, left_out=found.left_out)
    return derived, found


def _sync(chosen: Mapping[str, Sequence[TopicLog]], pose: PoseFromTf | None) -> tuple[SyncInfo, ...]:
    def stamps_of(role: str) -> NDArray[np.int64]:
        return pose.stamp_ns if role == "pose" and pose is not None else chosen[role][0].stamp.all()

    known = {role for role, members in chosen.items() if members} | ({"pose"} if pose is not None else set())
    return tuple(
        sync_of(first, second, stamps_of(first), stamps_of(second))
        for first, second in SYNC_PAIRS
        if first in known and second in known
    )


def _repeated(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(name for name, count in Counter(names).items() if count > 1))


def topic_info(log: TopicLog, role: str | None, config: RecordingConfig) -> TopicInfo:
    """Return the figures of one topic."""
    messages = len(log.all_log)
    # The stamps inside a path are those of its poses: the figures of its messages are their log times.
    has_stamps = (
        log.kind != "trajectory"
        and log.without_stamp < len(log.stamp)
        and log.decoded >= messages - log.undecodable
    )
    logged = (log.log if has_stamps else log.all_log).all()
    times = log.stamp.all() if has_stamps else logged
    steps = np.diff(times)
    backward_steps, largest_backward_ns = int(np.count_nonzero(steps < 0)), max(-int(steps.min(initial=0)), 0)
    distinct = times if (steps > 0).all() else np.unique(times)
    del steps  # of hours, each of these is as long as the stream
    gaps = np.flatnonzero(gap_before(distinct))
    return TopicInfo(
        topic=log.topic,
        schema=log.schema,
        schema_encoding=log.schema_encoding,
        message_encoding=log.message_encoding,
        count=messages,
        payload_bytes=log.payload_bytes,
        role=role,
        undecodable=log.undecodable,
        first_error=log.first_error,
        cannot_decode=log.cannot_decode,
        is_bad=messages > 0 and log.undecodable > config.bad_stream_ratio * messages,
        frame_id=log.frame_id,
        child_frame_id=log.child_frame_id,
        picture_format=log.picture_format,
        time_basis="stamp" if has_stamps else "log_time",
        first_ns=int(distinct[0]) if len(distinct) else None,
        last_ns=int(distinct[-1]) if len(distinct) else None,
        median_step_ns=median_step_ns(distinct),
        repeated_stamps=0 if log.kind in _SEVERAL_ROWS_PER_STAMP else len(times) - len(distinct),
        backward_steps=backward_steps,
        largest_backward_step_ns=largest_backward_ns,
        log_backward_steps=int(np.count_nonzero(np.diff(log.all_log.all()) < 0)),
        gaps=tuple(Gap(int(distinct[i - 1]), int(distinct[i])) for i in gaps),
        log_offset=_log_offset(log, times, logged) if has_stamps else None,
        without_stamp=log.without_stamp if has_stamps else 0,
        unset_rotations=log.unset_rotations(),
        cut_texts=log.cut_texts,
        left_out_pieces=log.mesh.left_out,
    )


def _log_offset(
    log: TopicLog, stamps_ns: NDArray[np.int64], log_times_ns: NDArray[np.int64]
) -> LogOffset | None:
    if not log.without_stamp:
        return log_offset(stamps_ns, log_times_ns)
    own = stamps_ns != log_times_ns  # where there was no stamp, the log time stands for it
    return log_offset(stamps_ns[own], log_times_ns[own])


def gravity_of(pieces: Iterable[NDArray[np.float64]]) -> str:
    """Return whether accelerations contain gravity: `included`, `removed` or `unknown`.

    Takes samples (N, 10) of the imu columns, piece by piece; only quiet ones (gyro below 0.1 rad/s) count where there
    are enough.
    """
    quiet, all_of_them = _Accelerations(), _Accelerations()
    for samples in pieces:
        acceleration, gyro = samples[:, :3], samples[:, 3:6]
        # Damaged samples may be finite and still too large to be squared.
        finite = (np.abs(acceleration) < _ABSURD_M_S2).all(axis=1)
        with np.errstate(invalid="ignore", over="ignore"):
            is_quiet = finite & (np.linalg.norm(gyro, axis=1) < QUIET_RAD_S)
        quiet.add(acceleration[is_quiet])
        all_of_them.add(acceleration[finite])
    used = quiet if quiet.count >= _FEW_SAMPLES else all_of_them
    if used.count == 0:
        return "unknown"
    low, high = STANDARD_GRAVITY_RANGE
    if low <= used.lengths / used.count <= high:
        return "included"
    return "removed" if float(np.linalg.norm(used.total / used.count)) < REMOVED_BELOW else "unknown"


class _Accelerations:
    """Sums over accelerations: how many, their vectors, their lengths."""

    def __init__(self) -> None:
        self.count, self.lengths, self.total = 0, 0.0, np.zeros(3)

    def add(self, values: NDArray[np.float64]) -> None:
        """Take accelerations (N, 3) in m/s²."""
        self.count += len(values)
        self.lengths += float(np.linalg.norm(values, axis=1).sum())
        self.total += values.sum(axis=0)
