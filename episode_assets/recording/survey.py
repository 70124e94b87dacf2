"""From a finished walk to an inventory: figures per topic, roles, gravity, frames.

`scan` and `inspect` both end here; what they read before differs, what they say does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import BadRecording
from episode_assets.recording.collect import IMU_WIDTH, POSE_WIDTH, Key, TopicLog
from episode_assets.recording.config import RecordingConfig
from episode_assets.recording.container import Container, StoredMessage
from episode_assets.recording.decoders import find_decoder
from episode_assets.recording.frames import edges_by_child, find_link_from_optical
from episode_assets.recording.inventory import Gap, Inventory, LinkFromOptical, RoleChoice, TopicInfo
from episode_assets.recording.roles import KINDS_OF_ROLE, Candidate, choose_roles, is_static
from episode_assets.recording.streams import TfStream
from episode_assets.recording.timeline import clock_of, gap_before, median_step_ns

STANDARD_GRAVITY_RANGE = (9.3, 10.3)
REMOVED_BELOW = 1.5
QUIET_RAD_S = 0.1
_FEW_SAMPLES = 20
_FEW_DAMAGES = 3


class Logs:
    """The logs of all topics of a walk, and the order in which their messages came."""

    def __init__(self, container: Container) -> None:
        self._container = container
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
            self.log_of(int(channel_id)).all_log.extend(log_times_ns[channel_ids == channel_id].tolist())
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
            log = TopicLog(key, data, find_decoder(channel.message_encoding, encoding, name, data))
            self._by_key[key] = log
        self._by_channel[channel_id] = (channel, log)
        return log

    def all(self) -> tuple[TopicLog, ...]:
        """Return the logs of every channel in the file, empty ones included, by topic and type."""
        for channel_id in self._container.channels:
            self.log_of(channel_id)
        return tuple(self._by_key[key] for key in sorted(self._by_key))


def candidates_of(logs: Iterable[TopicLog]) -> tuple[Candidate, ...]:
    """Return what the choice of roles has to know about each topic that can be decoded."""
    return tuple(
        Candidate(
            topic=log.topic,
            kind=log.kind,
            count=len(log.all_log) if log.stamp else 0,
            frame_id=log.frame_id,
            is_depth=log.is_depth,
            picture_size=log.picture_size,
            has_acceleration=log.kind == "imu" and log.has_acceleration(),
            triangles=log.mesh.triangle_count,
        )
        for log in logs
        if log.kind is not None
    )


def logs_by_role(
    logs: Sequence[TopicLog], choices: Mapping[str, RoleChoice]
) -> dict[str, tuple[TopicLog, ...]]:
    """Return the logs that fill each role."""
    return {
        role: tuple(
            log
            for topic in choice.topics
            for log in logs
            if log.topic == topic and log.kind in KINDS_OF_ROLE[role]
        )
        for role, choice in choices.items()
    }


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


def survey(
    logs: Logs,
    container: Container,
    *,
    config: RecordingConfig,
    basis: str,
    size_bytes: int,
    sha256: str | None,
    where: str,
) -> Inventory:
    """Return the inventory of a finished walk.

    Raises:
        MissingStream: A configured topic is missing or of the wrong type.
    """
    topics = logs.all()
    choices = choose_roles(candidates_of(topics), config, where=where)
    chosen = logs_by_role(topics, choices)
    role_of = {id(log): role for role, members in chosen.items() for log in members}
    infos = tuple(topic_info(log, role_of.get(id(log)), config) for log in topics)
    log_bounds = [(min(log.all_log), max(log.all_log)) for log in topics if log.all_log]
    stamps = [info.first_ns for info in infos if info.first_ns is not None and info.time_basis == "stamp"]
    first = min((low for low, _ in log_bounds), default=None)
    return Inventory(
        basis=basis,
        size_bytes=size_bytes,
        sha256=sha256,
        profile=container.profile,
        library=container.library,
        chunks=container.chunks,
        compressions=tuple(sorted(name or "none" for name in container.compressions)),
        messages=logs.messages,
        clock=clock_of(min(stamps, default=first)),
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
        gravity=gravity_of(chosen["imu"][0].numbers(IMU_WIDTH))
        if chosen["imu"] and basis == "scan"
        else "unknown",
        link_from_optical=link_of(chosen, container.library) if basis == "scan" else None,
        metadata=dict(container.metadata),
        attachments=tuple(container.attachments),
        salvaged_messages=container.salvaged_messages,
        repeated_metadata=_repeated(name for name, _ in container.metadata),
        has_statistics=container.statistics is not None,
    )


def _repeated(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(name for name, count in Counter(names).items() if count > 1))


def topic_info(log: TopicLog, role: str | None, config: RecordingConfig) -> TopicInfo:
    """Return the figures of one topic."""
    has_stamps = len(log.stamp) > 0 and len(set(log.number)) >= len(log.all_log) - log.undecodable
    times = np.array(log.stamp if has_stamps else log.all_log, dtype=np.int64)
    distinct = np.unique(times)
    gaps = np.flatnonzero(gap_before(distinct))
    messages = len(log.all_log)
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
        repeated_stamps=0 if log.kind == "tf" else len(times) - len(distinct),
        backward_steps=int(np.count_nonzero(np.diff(times) < 0)),
        gaps=tuple(Gap(int(distinct[i - 1]), int(distinct[i])) for i in gaps),
    )


def gravity_of(samples: NDArray[np.float64]) -> str:
    """Return whether accelerations contain gravity: `included`, `removed` or `unknown`.

    Takes samples (N, 10) of the imu columns; only quiet ones (gyro below 0.1 rad/s) where there are enough.
    """
    acceleration, gyro = samples[:, :3], samples[:, 3:6]
    finite = np.isfinite(acceleration).all(axis=1)
    with np.errstate(invalid="ignore"):
        quiet = finite & (np.linalg.norm(gyro, axis=1) < QUIET_RAD_S)
    used = acceleration[quiet if np.count_nonzero(quiet) >= _FEW_SAMPLES else finite]
    if len(used) == 0:
        return "unknown"
    low, high = STANDARD_GRAVITY_RANGE
    if low <= float(np.linalg.norm(used, axis=1).mean()) <= high:
        return "included"
    return "removed" if float(np.linalg.norm(used.mean(axis=0))) < REMOVED_BELOW else "unknown"


def tf_stream(members: Sequence[TopicLog]) -> TfStream:
    """Return the edges of all tf topics, united and sorted by stamp; a repeated edge at one stamp is kept once."""
    stamps = np.concatenate(
        [np.array(log.stamp, dtype=np.int64) for log in members] or [np.empty(0, np.int64)]
    )
    values = np.concatenate([log.numbers(POSE_WIDTH) for log in members] or [np.empty((0, POSE_WIDTH))])
    pairs = [(str(parent), str(child)) for log in members for parent, child in log.texts]
    static = np.concatenate(
        [np.full(len(log.stamp), is_static(log.topic)) for log in members] or [np.empty(0, bool)]
    )
    seen: set[tuple[int, str, str]] = set()
    order = []
    for row in np.argsort(stamps, kind="stable"):
        edge = (int(stamps[row]), *pairs[row])
        if edge not in seen:
            seen.add(edge)
            order.append(int(row))
    parents, children = tuple(pairs[row][0] for row in order), tuple(pairs[row][1] for row in order)
    index = np.array(order, dtype=np.int64)
    return TfStream(stamps[index], parents, children, values[index, :3], values[index, 3:], static[index])


def link_of(chosen: Mapping[str, Sequence[TopicLog]], library: str) -> LinkFromOptical:
    """Return how the camera sits in the frame of the poses."""
    pose, picture = chosen["pose"], chosen["rgb"] or chosen["depth"]
    return find_link_from_optical(
        edges_by_child(tf_stream(chosen["tf"])),
        optical=picture[0].frame_id if picture else "",
        pose_frame=pose[0].frame_id if pose else "",
        pose_child=pose[0].child_frame_id if pose else "",
        library=library,
    )
