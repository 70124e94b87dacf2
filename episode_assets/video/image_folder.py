"""A folder of numbered images as a video: PNG or JPEG for colour, TIFF for depth.

A number that is missing would shift every picture after it, so it is an error. Other sequences of pictures go to
`encode_frames` as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import BadVideo
from episode_assets.video.decoding import decode_picture
from episode_assets.video.depth_codes import Codes, DepthCoder, Outside
from episode_assets.video.encoder_config import DepthEncoderConfig, RGBEncoderConfig
from episode_assets.video.faults import UndecodablePicture, named_failures
from episode_assets.video.frames import Image, size_of
from episode_assets.video.picture import Picture
from episode_assets.video.probing import VideoProbe
from episode_assets.video.writing import encode_frames

_FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}
_DEPTH_SUFFIXES = frozenset({".tif", ".tiff"})


def encode_image_folder(
    folder: Path,
    out: Path,
    config: RGBEncoderConfig,
    *,
    fps: int,
    prefix: str = "frame-",
    outside: Outside = "hole",
    threads: int = 1,
    overwrite: bool = False,
) -> VideoProbe:
    """Write the images `<prefix>000000.png`, `<prefix>000001.png`, ... of a folder into an mp4; other files stay.

    Args:
        folder: Holds the images. The number may have any count of leading zeros.
        out: The mp4 to write; there when it is whole.
        config: How to encode. With one for depth, TIFF images are read: whole numbers are millimetres, floats metres.
        fps: Image i is shown at exactly i / fps.
        prefix: What their names begin with.
        outside: What becomes of depth out of range; see `DepthCoder`.
        threads: Encoder threads; see `FrameEncoder`.
        overwrite: Whether an existing file is replaced.

    Returns:
        The probe of the file, with the number of frames.

    Raises:
        BadVideo: There is no image, a number is missing or twice there, the sizes differ, or the target exists.
        UndecodablePicture: An image cannot be read; the message names it.
    """
    is_depth = isinstance(config, DepthEncoderConfig)
    files = numbered_images(folder, _DEPTH_SUFFIXES if is_depth else frozenset(_FORMATS), prefix=prefix)
    coder = DepthCoder(config, outside=outside) if isinstance(config, DepthEncoderConfig) else None
    return encode_frames(_images(files, coder), out, config, fps=fps, threads=threads, overwrite=overwrite)


def numbered_images(folder: Path, suffixes: frozenset[str], *, prefix: str = "frame-") -> list[Path]:
    """Return the images of a folder by number, from 0 on without a hole.

    Args:
        folder: Where they lie.
        suffixes: Endings, in small letters, of the files that count.
        prefix: What their names begin with.

    Raises:
        BadVideo: There is none, or a number is missing or there twice.
    """
    pattern = re.compile(re.escape(prefix) + r"(\d+)")
    found: dict[int, Path] = {}
    with named_failures("the images cannot be listed", where=folder.name, kind=BadVideo):
        entries = sorted(folder.iterdir())
    for path in entries:
        match = pattern.fullmatch(path.stem)
        if match is None or path.suffix.lower() not in suffixes:
            continue
        number = int(match[1])
        if number in found:
            raise BadVideo(f"{path.name} and {found[number].name} have the same number", where=folder.name)
        found[number] = path
    if not found:
        raise BadVideo(
            f"there is no image {prefix}<number> with the ending {' or '.join(sorted(suffixes))}",
            where=folder.name,
        )
    missing = next((number for number in range(len(found)) if number not in found), None)
    if missing is not None:
        raise BadVideo(f"image {missing} of {max(found) + 1} is missing", where=folder.name)
    return [found[number] for number in range(len(found))]


def read_image(path: Path, *, coder: DepthCoder | None = None) -> Picture | Codes:
    """Read one image for an encoder.

    Args:
        path: PNG or JPEG for colour; TIFF of one channel for depth, whole numbers in millimetres or floats in metres.
        coder: Turns depth into codes; colour is read without one.

    Raises:
        UndecodablePicture: The file cannot be read, or is not of that kind.
    """
    with named_failures("an image cannot be read", where=path.name, kind=UndecodablePicture):
        content = path.read_bytes()
    return _colour(path, content) if coder is None else coder.codes(_depth(path, content))


def _images(files: list[Path], coder: DepthCoder | None) -> Iterator[Image]:
    first: tuple[int, int] | None = None
    for path in files:
        image = read_image(path, coder=coder)
        size = size_of(image)
        if first is not None and size != first:
            raise BadVideo(
                f"the image is {size[0]} x {size[1]} and the first {first[0]} x {first[1]}", where=path.name
            )
        first = size
        yield image


def _colour(path: Path, content: bytes) -> Picture:
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        raise UndecodablePicture(f"{path.suffix!r} is the ending of no image", where=path.name)
    try:
        return decode_picture(kind, content)
    except UndecodablePicture as error:
        raise UndecodablePicture(error.what, where=path.name) from error


def _depth(path: Path, content: bytes) -> NDArray[Any]:
    depth = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) if content else None
    if depth is None or depth.ndim != 2 or depth.dtype not in (np.uint8, np.uint16, np.float32, np.float64):
        raise UndecodablePicture("the file is no depth image of one channel", where=path.name)
    return np.asarray(depth)
