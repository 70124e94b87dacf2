"""ROS messages written as JSON, in the shape that bridges to web pages give them: the types that have a role.

Times are {sec, nanosec} or {secs, nsecs}, bytes are base64. To read another type, add a function and a row to `TYPES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from episode_assets.recording.encodings.fields import Fields
from episode_assets.recording.encodings.rows import (
    CameraInfoRow,
    ImageRow,
    ImuRow,
    Kind,
    PoseRow,
    Row,
    TextRow,
    TransformRow,
    Triple,
    UndecodableMessageError,
)


def _head(message: Fields) -> tuple[int, str]:
    header = message.part("header")
    return (0, "") if header is None else (header.stamp("stamp"), header.text("frame_id"))


def _compressed_image(message: Fields) -> list[Row]:
    name, data = message.text("format"), message.octets("data")
    return [ImageRow(*_head(message), name, data, None, None, None, False)]


def _image(message: Fields) -> list[Row]:
    size = message.whole("width"), message.whole("height"), message.whole("step")
    is_bigendian = bool(message.value("is_bigendian"))
    return [ImageRow(*_head(message), message.text("encoding"), message.octets("data"), *size, is_bigendian)]


def _camera_info(message: Fields) -> list[Row]:
    k = message.numbers("k", "K")
    if len(k) != 9:
        raise UndecodableMessageError(f"K has {len(k)} numbers and not 9")
    size = message.whole("width"), message.whole("height")
    model = message.text("distortion_model")
    return [CameraInfoRow(*_head(message), *size, model, k, message.numbers("d", "D"))]


def _pose_stamped(message: Fields) -> list[Row]:
    return [PoseRow(*_head(message), "", *message.pose())]


def _odometry(message: Fields) -> list[Row]:
    inner = message.part("pose")
    if inner is None:
        raise UndecodableMessageError("there is no pose")
    return [PoseRow(*_head(message), message.text("child_frame_id"), *inner.pose())]


def _tf_message(message: Fields) -> list[Row]:
    return [_transform(one) for one in message.parts("transforms")]


def _transform(message: Fields) -> TransformRow:
    inner = message.part("transform")
    if inner is None:
        raise UndecodableMessageError("there is no transform")
    place = inner.triple("translation"), inner.quaternion("rotation")
    return TransformRow(*_head(message), message.text("child_frame_id"), *place)


def _imu(message: Fields) -> list[Row]:
    orientation = message.quaternion("orientation") if _is_provided(message, "orientation") else None
    return [
        ImuRow(
            *_head(message),
            orientation if orientation and any(orientation) else None,
            _measured(message, "angular_velocity"),
            _measured(message, "linear_acceleration"),
        )
    ]


def _measured(message: Fields, name: str) -> Triple | None:
    return message.triple(name) if _is_provided(message, name) else None


def _is_provided(message: Fields, name: str) -> bool:
    # sensor_msgs/Imu: a first covariance element of -1 means that the sender does not provide the part.
    covariance = message.numbers(f"{name}_covariance")
    return message.value(name) is not None and not (covariance and covariance[0] == -1)


def _text(message: Fields) -> list[Row]:
    return [TextRow(0, "", message.text("data"))]


TYPES: Mapping[str, tuple[Kind, Callable[[Fields], Sequence[Row]]]] = {
    "sensor_msgs/CompressedImage": ("image", _compressed_image),
    "sensor_msgs/Image": ("image", _image),
    "sensor_msgs/CameraInfo": ("camera_info", _camera_info),
    "geometry_msgs/PoseStamped": ("pose", _pose_stamped),
    "nav_msgs/Odometry": ("pose", _odometry),
    "tf2_msgs/TFMessage": ("tf", _tf_message),
    "tf/tfMessage": ("tf", _tf_message),
    "sensor_msgs/Imu": ("imu", _imu),
    "std_msgs/String": ("text", _text),
}
"""Types by package and last part."""
