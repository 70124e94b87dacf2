"""Searches every picture in every file below a folder for a colour that must have left no trace.

An independent reader: it decodes videos with PyAV, pictures with Pillow, HDF5 with h5py, and looks for pictures inside
HTML, JSON, Markdown, Rerun files, meshes and files of no known kind. It knows nothing of the package.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path

import av
import h5py
import numpy as np
from PIL import Image, ImageFile

from episode_assets_tests.rerun_reading import colours_in

ImageFile.LOAD_TRUNCATED_IMAGES = True

EMBEDDED = re.compile(rb"data:image/[a-z]+;base64,([A-Za-z0-9+/=]+)")
JPEG_START = b"\xff\xd8\xff"


def traces(folder: Path, colour: tuple[int, int, int], *, tolerance: int, pixels: int) -> list[str]:
    """Name the files in which at least `pixels` pixels of one picture lie within `tolerance` of `colour` (RGB)."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            for picture in pictures_of(path):
                distance = np.abs(picture.astype(np.int16) - np.asarray(colour, np.int16)).max(axis=-1)
                if int((distance <= tolerance).sum()) >= pixels:
                    found.append(str(path.relative_to(folder)))
                    break
    return found


def pictures_of(path: Path) -> Iterator[np.ndarray]:
    data = path.read_bytes()
    if data[4:8] == b"ftyp" or data[:4] == b"\x1aE\xdf\xa3":
        yield from frames_of(path)
    elif data[:8] == b"\x89HDF\r\n\x1a\n":
        yield from arrays_of(path)
    elif data[:3] == b"RRF":
        yield from colours_in(path)
    elif data[:4] == b"ply\n":
        yield from vertices_of(path)
    else:
        yield from embedded_in(data)


def frames_of(path: Path) -> Iterator[np.ndarray]:
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                yield frame.to_ndarray(format="rgb24")
    except (av.FFmpegError, IndexError):
        yield from embedded_in(path.read_bytes())


def arrays_of(path: Path) -> Iterator[np.ndarray]:
    found: list[np.ndarray] = []

    def visit(_name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype == np.uint8 and item.shape[-1:] == (3,):
            found.append(np.asarray(item))

    try:
        with h5py.File(path) as file:
            file.visititems(visit)
    except OSError:
        return
    yield from found


def vertices_of(path: Path) -> Iterator[np.ndarray]:
    """Give the colours of all vertices as one row of pixels."""
    import trimesh

    colours = trimesh.load(path, process=False).visual
    if colours.kind == "vertex":
        yield np.asarray(colours.vertex_colors)[None, :, :3]


def embedded_in(data: bytes) -> Iterator[np.ndarray]:
    starts = [match.start() for match in re.finditer(re.escape(JPEG_START), data)]
    candidates = [data[start:] for start in starts[:200]]
    candidates += [whole_base64(match.group(1)) for match in EMBEDDED.finditer(data)]
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        candidates.append(data)
    for candidate in candidates:
        try:
            yield np.asarray(Image.open(io.BytesIO(candidate)).convert("RGB"))
        except (OSError, SyntaxError, ValueError):
            continue
    yield from raw_h264_in(data)


def whole_base64(text: bytes) -> bytes:
    """Decode as much as is whole; a database may have cut the text at the end of a page."""
    text = text.rstrip(b"=")
    return base64.b64decode(text[: len(text) // 4 * 4])


def raw_h264_in(data: bytes) -> Iterator[np.ndarray]:
    """Decode bare H.264, which a half-written or unnamed file may hold."""
    if b"\x00\x00\x00\x01\x67" not in data[:4096]:
        return
    codec = av.CodecContext.create("h264", "r")
    try:
        for packet in codec.parse(data):
            for frame in codec.decode(packet):
                yield frame.to_ndarray(format="rgb24")
    except av.FFmpegError:
        return
