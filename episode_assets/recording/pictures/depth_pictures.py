"""Depth pictures to millimetres, whatever they are packed in. Colour pictures go to `video` as they are."""

from __future__ import annotations

import math
import struct

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.recording.pictures.images import ImageMessage, UndecodableImage
from episode_assets.recording.pictures.picture_formats import COMPRESSED_DEPTH_HEAD
from episode_assets.recording.pictures.rvl import RvlError, decode_rvl

MAX_PIXELS = 1 << 24
"""Largest depth picture (4096 x 4096); a few bytes that claim more are damage or an attack."""

_MAX_MM = 65535
_RVL_SIZE = struct.Struct("<II")
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_PNG_SIZE, _PNG_SIZE_AT = struct.Struct(">II"), 16
_QUANTISATION = struct.Struct("<iff")


def decode_depth(message: ImageMessage, *, copy: bool = True) -> NDArray[np.uint16]:
    """Return depth (H, W) in whole millimetres; 0 is a hole.

    16-bit integers are millimetres and 32-bit floats are metres, rounded. Values that are not finite or not positive
    become holes and too far ones 65535, since a plain cast would wrap them into plausible distances. `compressedDepth`
    of floats holds inverse depth: metres = A / (value - B), with A and B from its header
    (compressed_depth_image_transport of ROS).

    Args:
        message: The picture.
        copy: Return memory of its own; without it, numbers that lie in the message as they are stay there, read-only.

    Raises:
        UndecodableImage: The format is not depth, or the bytes do not match the stated size.
    """
    if message.format in {"16UC1", "mono16", "Z16"}:
        return _raw_plane(message, np.dtype(np.uint16)).astype(np.uint16, copy=copy)
    if message.format == "32FC1":
        return _millimetres(_raw_plane(message, np.dtype(np.float32)))
    if message.format == "png":
        return _png(message, message.data)
    if message.format.startswith("compressedDepth"):
        values = _unpacked(message)
        return _from_inverse(message, values) if message.format.endswith("32FC1") else values
    raise UndecodableImage(
        f"depth message {message.message_number} has format {message.format!r}",
        remedy="16UC1, mono16, Z16, 32FC1, 16-bit PNG or compressedDepth",
    )


def depth_or_none(
    message: ImageMessage | UndecodableImage, *, copy: bool = True
) -> NDArray[np.uint16] | None:
    """Return what `decode_depth` does, None for a picture that was not read or does not decode."""
    try:
        return None if isinstance(message, UndecodableImage) else decode_depth(message, copy=copy)
    except UndecodableImage:
        return None


def _raw_plane(message: ImageMessage, dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
    width, height, step = message.width or 0, message.height or 0, message.step or 0
    step = step or width * dtype.itemsize
    row = width * dtype.itemsize
    if width < 1 or height < 1 or step < row or len(message.data) < step * (height - 1) + row:
        raise UndecodableImage(
            f"depth message {message.message_number}: {len(message.data)} bytes for {width}x{height}, step {step}"
        )
    ordered = dtype.newbyteorder(">" if message.is_bigendian else "<")
    # Some writers append bytes after the picture, and rows may be padded (the last one often is not): the stated size
    # decides.
    rows = np.ndarray((height, row), np.uint8, message.data, strides=(step, 1))
    return np.ascontiguousarray(rows).view(ordered)


def _millimetres(metres: NDArray[np.generic]) -> NDArray[np.uint16]:
    with np.errstate(invalid="ignore", over="ignore"):
        mm = np.rint(metres.astype(np.float64) * 1000.0)
        usable = np.isfinite(mm) & (mm > 0)
    return np.where(usable, np.minimum(mm, _MAX_MM), 0.0).astype(np.uint16)


def _unpacked(message: ImageMessage) -> NDArray[np.uint16]:
    packed = message.data[COMPRESSED_DEPTH_HEAD:]
    return _rvl(message, packed) if " rvl" in message.format else _png(message, packed)


def _png(message: ImageMessage, data: memoryview) -> NDArray[np.uint16]:
    if len(data) >= _PNG_SIZE_AT + _PNG_SIZE.size:
        _check_size(message, *_PNG_SIZE.unpack_from(data, _PNG_SIZE_AT))
    # OpenCV would try every format that it knows, and their sizes have not been looked at.
    is_png = data[: len(_PNG_MAGIC)] == _PNG_MAGIC
    picture = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED) if is_png else None
    if picture is None or picture.dtype != np.uint16 or picture.ndim != 2:
        raise UndecodableImage(f"depth message {message.message_number} holds no 16-bit single-channel PNG")
    return np.asarray(picture, dtype=np.uint16)


def _rvl(message: ImageMessage, data: memoryview) -> NDArray[np.uint16]:
    if len(data) < _RVL_SIZE.size:
        raise UndecodableImage(f"depth message {message.message_number}: an RVL payload of {len(data)} bytes")
    width, height = _RVL_SIZE.unpack_from(data)
    _check_size(message, width, height)
    try:
        return decode_rvl(data[_RVL_SIZE.size :], count=width * height).reshape(height, width)
    except RvlError as error:
        raise UndecodableImage(
            f"depth message {message.message_number}, RVL of {width}x{height}: {error}"
        ) from error


def _check_size(message: ImageMessage, width: int, height: int) -> None:
    if not 1 <= width * height <= MAX_PIXELS:
        raise UndecodableImage(f"depth message {message.message_number} claims {width} x {height} pixels")


def _from_inverse(message: ImageMessage, values: NDArray[np.uint16]) -> NDArray[np.uint16]:
    _, a, b = _QUANTISATION.unpack_from(message.data)
    if not (math.isfinite(a) and math.isfinite(b) and a > 0):
        raise UndecodableImage(
            f"depth message {message.message_number}: its floats are quantised with A = {a:g} and B = {b:g}"
        )
    with np.errstate(divide="ignore"):
        metres = a / (values.astype(np.float64) - b)
    return np.where(values > 0, _millimetres(metres), 0).astype(np.uint16)
