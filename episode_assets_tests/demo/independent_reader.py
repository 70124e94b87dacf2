"""Reads demo recordings with the `mcap` and `rosbags` packages, and nothing of ours."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mcap.reader import make_reader
from mcap.summary import Summary


@dataclass(frozen=True)
class Written:
    """All messages of a file in file order, decoded, by topic."""

    summary: Summary
    metadata: dict[str, str]
    order: list[tuple[str, int]]
    topics: dict[str, list[Any]]

    def stamps(self, topic: str) -> np.ndarray:
        return np.array([stamp_ns(message) for message in self.topics[topic]], dtype=np.int64)

    def picture(self, number: int) -> np.ndarray:
        data = self.topics["/camera/rgb/compressed"][number].data
        return cv2.cvtColor(cv2.imdecode(np.asarray(data), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)

    def depth_m(self, number: int) -> np.ndarray:
        message = self.topics["/camera/depth"][number]
        assert message.encoding == "16UC1"
        assert message.step == 2 * message.width
        return message.data.view("<u2").reshape(message.height, message.width) / 1000


def read_everything(path: Path) -> Written:
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    with path.open("rb") as stream:
        reader = make_reader(stream)
        summary = reader.get_summary()
        assert summary is not None
        store = get_typestore(Stores.EMPTY)
        for schema in summary.schemas.values():
            store.register(get_types_from_msg(schema.data.decode(), schema.name))
        metadata = {name: value for entry in reader.iter_metadata() for name, value in entry.metadata.items()}
        order, topics = [], defaultdict(list)
        for schema, channel, message in reader.iter_messages(log_time_order=False):
            assert schema is not None
            order.append((channel.topic, message.log_time))
            topics[channel.topic].append(store.deserialize_cdr(message.data, schema.name))
    return Written(summary, metadata, order, topics)


def stamp_ns(message: Any) -> int:
    header = message.header if hasattr(message, "header") else message.transforms[0].header
    return header.stamp.sec * 10**9 + header.stamp.nanosec


def xyz(vector: Any) -> np.ndarray:
    return np.array([vector.x, vector.y, vector.z])


def xyzw(quaternion: Any) -> np.ndarray:
    return np.array([quaternion.x, quaternion.y, quaternion.z, quaternion.w])
