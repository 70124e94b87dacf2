"""Messages with arbitrary content for every ROS type, and what their rows must be: the other side of the decoders.

Messages are built and serialised by rosbags from its own definitions; the expected rows are taken from the fields of
those objects, never from bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype  # noqa: TID253  # every test of this file needs it
from rosbags.typesys import Stores, get_types_from_msg, get_typestore  # noqa: TID253

from episode_assets.recording.encodings import rows as r
from episode_assets_tests.recording.scene.trees import Choice, Message, Stamp

ROS1 = get_typestore(Stores.ROS1_NOETIC)
ROS2 = get_typestore(Stores.ROS2_HUMBLE)
S = 1_000_000_000

# rosbags has no transforms among its ROS 1 types: package tf2_msgs is not part of the common interfaces there.
for _name in ("tf2_msgs/msg/TFMessage", "tf/msg/tfMessage"):
    ROS1.register(get_types_from_msg("geometry_msgs/TransformStamped[] transforms", _name))

_INTEGERS = {f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
_NUMBERS = _INTEGERS | {
    "float32": "float32",
    "float64": "float64",
    "byte": "uint8",
    "char": "uint8",
    "bool": "bool",
}
_TEXTS = ("", "a", "odom", "kamera_ä", "camera/left\n", "frame with spaces")


def random_message(store: Any, name: str, rng: np.random.Generator, *, longest: int = 3) -> Any:
    """Return a message of any type with arbitrary content; sequences have up to `longest` items."""
    fields = store.fielddefs[name][1]
    message = store.types[name](*(_random(store, description, rng, longest) for _, description in fields))
    if store is ROS1 and name == "builtin_interfaces/msg/Time":
        message.sec = abs(message.sec)  # ROS 1 seconds are unsigned, and rosbags writes them signed
    return message


def _random(store: Any, description: Any, rng: np.random.Generator, longest: int) -> Any:
    kind, detail = description
    if kind == Nodetype.NAME:
        return random_message(store, detail, rng, longest=longest)
    if kind == Nodetype.BASE:
        return _scalar(detail[0], rng)
    item, size = detail
    count = size if kind == Nodetype.ARRAY else int(rng.integers(0, min(longest, size or longest) + 1))
    if item[0] == Nodetype.BASE and item[1][0] in _NUMBERS:
        values = [_scalar(item[1][0], rng) for _ in range(count)]
        return np.array(values, dtype=_NUMBERS[item[1][0]])
    return [_random(store, item, rng, longest) for _ in range(count)]


def _scalar(name: str, rng: np.random.Generator) -> Any:
    if name in {"string", "wstring"}:
        return str(rng.choice(_TEXTS))
    if name == "bool":
        return bool(rng.integers(2))
    if name.startswith("float"):
        return float(np.dtype(_NUMBERS[name]).type(rng.normal() * 1000))
    if name == "byte":
        return int(rng.integers(128))  # rosbags takes a byte for signed, ROS 2 for unsigned
    bounds = np.iinfo(_NUMBERS[name])
    return int(rng.integers(bounds.min, bounds.max, dtype=_NUMBERS[name], endpoint=True))


def as_dict(store: Any, value: Any) -> Any:
    """Return an object of a store as a dict of its fields, without the constants that rosbags keeps beside them."""
    if isinstance(value, list):
        return [as_dict(store, item) for item in value]
    if not hasattr(value, "__msgtype__"):
        return value
    names = [name for name, _ in store.fielddefs[value.__msgtype__][1] if not name.startswith("structure_")]
    return {name: as_dict(store, getattr(value, name)) for name in names}


def stamp_of(header: Any) -> int:
    return header.stamp.sec * S + header.stamp.nanosec


def _xyz(value: Any) -> tuple[float, ...]:
    return (value.x, value.y, value.z)


def _xyzw(value: Any) -> tuple[float, ...]:
    return (value.x, value.y, value.z, value.w)


def _pose(value: Any) -> tuple[Any, Any]:
    return _xyz(value.position), _xyzw(value.orientation)


def _head(message: Any) -> tuple[int, str]:
    return stamp_of(message.header), message.header.frame_id


def _picture(m: Any) -> list[r.Row]:
    return [r.ImageRow(*_head(m), m.encoding, m.data, m.width, m.height, m.step, bool(m.is_bigendian))]


def _calibration(m: Any) -> list[r.Row]:
    d, k = (m.d, m.k) if hasattr(m, "d") else (m.D, m.K)
    return [r.CameraInfoRow(*_head(m), m.width, m.height, m.distortion_model, tuple(k), tuple(d))]


def _edge(m: Any) -> tuple[Any, ...]:
    return (*_head(m), m.child_frame_id, _xyz(m.transform.translation), _xyzw(m.transform.rotation))


def _sample(m: Any) -> list[r.Row]:
    given = _xyzw(m.orientation) if m.orientation_covariance[0] != -1 else None
    gyro = _xyz(m.angular_velocity) if m.angular_velocity_covariance[0] != -1 else None
    acceleration = _xyz(m.linear_acceleration) if m.linear_acceleration_covariance[0] != -1 else None
    return [r.ImuRow(*_head(m), given, gyro, acceleration)]


def _piece(m: Any) -> r.MarkerRow:
    points = np.array([_xyz(p) for p in m.points]).reshape(-1, 3)
    return r.MarkerRow(*_head(m), m.ns, m.id, m.type, m.action, *_pose(m.pose), _xyz(m.scale), points)


_CLOUD_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}


def _cloud(m: Any) -> list[r.Row]:
    fields = tuple(r.CloudField(f.name, f.offset, _CLOUD_TYPES[f.datatype], f.count) for f in m.fields)
    return [
        r.CloudRow(
            *_head(m), m.width, m.height, fields, m.point_step, m.row_step, bool(m.is_bigendian), m.data
        )
    ]


def _several(m: Any) -> list[r.Row]:
    poses = np.array([[*_xyz(p.position), *_xyzw(p.orientation)] for p in m.poses]).reshape(-1, 7)
    return [r.PosesRow(*_head(m), poses)]


EXPECTED: dict[str, Any] = {
    "sensor_msgs/msg/CompressedImage": lambda m: [
        r.ImageRow(*_head(m), m.format, m.data, None, None, None, False)
    ],
    "sensor_msgs/msg/Image": _picture,
    "sensor_msgs/msg/CameraInfo": _calibration,
    "geometry_msgs/msg/PoseStamped": lambda m: [r.PoseRow(*_head(m), "", *_pose(m.pose))],
    "geometry_msgs/msg/PoseWithCovarianceStamped": lambda m: [r.PoseRow(*_head(m), "", *_pose(m.pose.pose))],
    "geometry_msgs/msg/TransformStamped": lambda m: [r.PoseRow(*_edge(m))],
    "nav_msgs/msg/Odometry": lambda m: [r.PoseRow(*_head(m), m.child_frame_id, *_pose(m.pose.pose))],
    "tf2_msgs/msg/TFMessage": lambda m: [r.TransformRow(*_edge(t)) for t in m.transforms],
    "tf/msg/tfMessage": lambda m: [r.TransformRow(*_edge(t)) for t in m.transforms],
    "sensor_msgs/msg/Imu": _sample,
    "visualization_msgs/msg/Marker": lambda m: [_piece(m)],
    "visualization_msgs/msg/MarkerArray": lambda m: [_piece(one) for one in m.markers],
    "nav_msgs/msg/Path": lambda m: [r.PoseRow(*_head(p), "", *_pose(p.pose)) for p in m.poses],
    "sensor_msgs/msg/PointCloud2": _cloud,
    "geometry_msgs/msg/PoseArray": _several,
    "std_msgs/msg/String": lambda m: [r.TextRow(0, "", m.data)],
}
"""Type to the function from a rosbags object to the rows that a decoder must give."""


def plain(rows: Any) -> list[tuple[Any, ...]]:
    """Return rows as tuples that compare with `==`: views and arrays become bytes and lists."""
    return [(type(row).__name__, *map(_plain, row)) for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, np.ndarray):
        return value.tobytes() if value.dtype == np.uint8 else value.tolist()
    return value


def ros_object(store: Any, name: str, tree: Any) -> Any:
    """Return a tree as an object of a store's type; fields that the tree lacks get the default of their type."""
    known = {key.lower(): value for key, value in tree.fields.items()}
    fields = store.fielddefs[name][1]
    return store.types[name](*(_of_tree(store, kind, known.get(field.lower())) for field, kind in fields))


def _of_tree(store: Any, description: Any, value: Any) -> Any:
    kind, detail = description
    if kind == Nodetype.NAME:
        if isinstance(value, Stamp):
            return store.types[detail](*value.parts)
        return ros_object(store, detail, value or Message(detail, {}))
    if kind == Nodetype.BASE:
        default = "" if detail[0] == "string" else 0
        return default if value is None else value.number if isinstance(value, Choice) else value
    item, size = detail
    if item[0] == Nodetype.NAME:
        return [_of_tree(store, item, one) for one in value or []]
    if isinstance(value, bytes):
        return np.frombuffer(value, np.uint8)
    return np.array([0] * size if value is None else value, dtype=_NUMBERS[item[1][0]])
