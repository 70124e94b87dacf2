"""Reading many messages together gives what reading them one by one gives, whatever comes between."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.demo import messages
from episode_assets.demo.schemas import TOPICS, schema_text
from episode_assets.recording.collect import TopicLog
from episode_assets.recording.containers.container import IN_FILE, StoredMessage
from episode_assets.recording.encodings.batches import BATCH_MESSAGES, layout_of
from episode_assets.recording.encodings.decoders import find_decoder

NUMBERS = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([0.0, -1.0, float("nan"), float("inf")]))
FRAMES = st.sampled_from(["world", "imu_frame", "w", ""])
STAMPS = st.one_of(st.just(0), st.integers(1, (1 << 31) * 1_000_000_000 - 1))


@dataclass(frozen=True)
class Sample:
    """What varies in a message of any of the types."""

    stamp: int
    frame: str
    values: tuple[float, ...]
    provided: bool

    def vector(self, count: int) -> Any:
        return np.array(self.values[:count])


SAMPLES = st.builds(Sample, STAMPS, FRAMES, st.tuples(*[NUMBERS] * 9), st.booleans())


def imu(s: Sample) -> bytes:
    return messages.imu(
        s.stamp,
        s.frame,
        orientation_xyzw=s.vector(4),
        angular_velocity=s.vector(3),
        linear_acceleration=s.vector(3) if s.provided else None,
        orientation_variance=s.values[4],
        angular_variance=s.values[5],
    )


def pose(s: Sample) -> bytes:
    return messages.pose_stamped(messages.StampedPose(s.stamp, s.vector(3), s.vector(4)))


def tf(s: Sample) -> bytes:
    edges = [messages.Transform(s.frame, child, s.vector(3), s.vector(4)) for child in ("camera", "é")]
    return messages.tf(s.stamp, edges[: 1 + s.provided])


def camera_info(s: Sample) -> bytes:
    K = s.vector(9).reshape(3, 3)
    return messages.camera_info(s.stamp, width=640 + s.provided, height=480, K=K)


def tracking(s: Sample) -> bytes:
    return messages.tracking_state(s.stamp, state=2 * s.provided, reason=0)


BUILDERS = {
    "/device/imu": imu,
    "/camera/pose": pose,
    "/tf": tf,
    "/camera/camera_info": camera_info,
    "/camera/tracking_state": tracking,
}


def empty_log(topic: str) -> TopicLog:
    name = TOPICS[topic]
    text = schema_text(name).encode()
    return TopicLog((topic, name, "ros2msg", "cdr"), text, find_decoder("cdr", "ros2msg", name, text))


def kept(log: TopicLog) -> dict[str, Any]:
    return {
        "number": list(log.number),
        "stamp": list(log.stamp),
        "log": list(log.log),
        "floats": struct.pack(f"{len(log.floats)}d", *log.floats),
        "texts": log.texts,
        "undecodable": log.undecodable,
        "first_error": log.first_error,
        "frames": (log.frame_id, log.child_frame_id),
        "size": log.picture_size,
        "without_stamp": log.without_stamp,
        "decoded": log.decoded,
    }


def both_ways(topic: str, payloads: list[bytes]) -> tuple[dict[str, Any], dict[str, Any]]:
    together, one_by_one = empty_log(topic), empty_log(topic)
    for number, payload in enumerate(payloads):
        message = StoredMessage(1, 1000 + number, memoryview(payload), IN_FILE, 0)
        together.add(message)
        one_by_one.look_at(message, number)
    together.settle()
    return kept(together), kept(one_by_one)


@pytest.mark.parametrize("topic", BUILDERS)
@given(
    samples=st.lists(SAMPLES, max_size=12),
    cut=st.integers(0, 40),
    byte=st.integers(0, 255),
    at=st.integers(0, 60),
)
@settings(max_examples=60, deadline=None)
def test_together_is_the_same_as_one_by_one(
    topic: str, samples: list[Sample], cut: int, byte: int, at: int
) -> None:
    payloads = [BUILDERS[topic](sample) for sample in samples]
    if payloads:
        payloads.insert(len(payloads) // 2, payloads[0][:-cut] if cut else payloads[0])
        broken = bytearray(payloads[-1])
        broken[at % len(broken)] = byte
        payloads.append(bytes(broken))
        payloads += payloads[:3]
    together, one_by_one = both_ways(topic, payloads)
    assert together == one_by_one


@pytest.mark.parametrize("topic", BUILDERS)
def test_more_messages_than_a_batch_keep_their_order(topic: str) -> None:
    payloads = [
        BUILDERS[topic](Sample(5 + n, "world", (float(n),) * 9, provided=n % 700 != 3))
        for n in range(2 * BATCH_MESSAGES + 7)
    ]
    together, one_by_one = both_ways(topic, payloads)
    assert together == one_by_one
    assert len(together["number"]) >= len(payloads)


def test_only_plain_little_endian_payloads_have_a_layout() -> None:
    payload = memoryview(pose(Sample(1, "world", (0.0,) * 9, provided=True)))
    name = "geometry_msgs/msg/PoseStamped"
    assert layout_of(name, "cdr", payload) is not None
    assert layout_of(name, "ros1", payload) is None
    assert layout_of("sensor_msgs/msg/Image", "cdr", payload) is None
    big_endian = memoryview(bytes([0, 0]) + bytes(payload[2:]))
    assert layout_of(name, "cdr", big_endian) is None
