"""Compares two episode directories file by file and dataset by dataset, and lists every difference.

An independent reader: it opens both sides with h5py, NumPy, PyAV, Pillow and json, and imports nothing of the package.
What one side has beyond the other is no difference in that direction: a layout may be a superset.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
import h5py
import numpy as np
from numpy.typing import NDArray
from PIL import Image

METRES, SECONDS = 1e-6, 1e-6
"""How far two float32 numbers of one meaning, and two float64 seconds, may lie apart."""


class Difference(NamedTuple):
    """One thing that is not the same on both sides.

    Attributes:
        where: File, or path inside annotation.hdf5.
        what: `missing`, `shape`, `dtype`, `values`, `storage`, or `attribute NAME`, and what files have of their own.
        theirs: What was expected.
        ours: What was found.
    """

    where: str
    what: str
    theirs: str
    ours: str


def differences(theirs: Path, ours: Path) -> list[Difference]:
    """List what of an episode directory is not the same in another one."""
    names = sorted(str(path.relative_to(theirs)) for path in theirs.rglob("*") if path.is_file())
    found: list[Difference] = []
    for name in names:
        if not (ours / name).is_file():
            found.append(Difference(name, "missing", "a file", "none"))
        else:
            compare = COMPARISONS[Path(name).suffix]
            found.extend(compare(name, theirs / name, ours / name))
    return found


# --- annotation.hdf5 -------------------------------------------------------------------------------------------


def annotation_differences(_name: str, theirs: Path, ours: Path) -> Iterator[Difference]:
    with h5py.File(theirs) as expected, h5py.File(ours) as found:
        for path in paths_of(expected):
            if path not in found:
                yield Difference(path, "missing", "an entry", "none")
                continue
            yield from attribute_differences(path, expected[path], found[path])
            if isinstance(expected[path], h5py.Dataset):
                yield from dataset_differences(path, expected[path], found[path])


def paths_of(file: h5py.File) -> list[str]:
    """Return the paths of all groups and datasets, the root included."""
    paths = ["/"]
    file.visit(lambda name: paths.append(f"/{name}"))
    return paths


def attribute_differences(path: str, theirs: Any, ours: Any) -> Iterator[Difference]:
    for name, value in theirs.attrs.items():
        found = ours.attrs.get(name)
        if type(found) is not type(value) or not equal(np.asarray(value), np.asarray(found), SECONDS):
            yield Difference(path, f"attribute {name}", repr(value), repr(found))


def dataset_differences(path: str, theirs: h5py.Dataset, ours: h5py.Dataset) -> Iterator[Difference]:
    if theirs.shape != ours.shape:
        yield Difference(path, "shape", str(theirs.shape), str(ours.shape))
        return
    if theirs.dtype != ours.dtype:
        yield Difference(path, "dtype", str(theirs.dtype), str(ours.dtype))
    storage = [(d.chunks, d.compression, d.compression_opts, d.shuffle) for d in (theirs, ours)]
    if storage[0] != storage[1]:
        yield Difference(path, "storage", str(storage[0]), str(storage[1]))
    tolerance = SECONDS if theirs.dtype == np.float64 else METRES
    if not equal(theirs[()], ours[()], tolerance):
        yield Difference(path, "values", summary(theirs[()]), summary(ours[()]))


def equal(theirs: NDArray[Any], ours: NDArray[Any], tolerance: float) -> bool:
    """Whether two arrays hold the same; unknown is the same as unknown."""
    if theirs.shape != ours.shape:
        return False
    if theirs.dtype.kind == "f" and ours.dtype.kind == "f":
        return bool(np.allclose(theirs, ours, rtol=1e-6, atol=tolerance, equal_nan=True))
    return bool(np.array_equal(theirs, ours))


def summary(values: NDArray[Any]) -> str:
    flat = np.asarray(values).reshape(-1)
    known = len(flat) - int(np.isnan(flat).sum()) if flat.dtype.kind == "f" else len(flat)
    return f"{len(flat)} values, {known} known, first {flat[:3].tolist()}"


# --- pictures ---------------------------------------------------------------------------------------------------


class Film(NamedTuple):
    """What a player sees of a video."""

    size: tuple[int, int]
    coding: tuple[str, str, str]
    tags: tuple[int, ...]
    shown_s: NDArray[np.float64]


def film(path: Path) -> Film:
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        context = stream.codec_context
        shown = [float(packet.pts * stream.time_base) for packet in file.demux(stream) if packet.size]
        tags = (context.color_range, context.colorspace, context.color_primaries, context.color_trc)
        coding = (context.name, str(context.pix_fmt), str(context.profile))
        return Film((context.width, context.height), coding, tuple(map(int, tags)), np.sort(shown))


def pictures(path: Path) -> Iterator[NDArray[np.uint8]]:
    with av.open(str(path)) as file:
        for frame in file.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def video_differences(name: str, theirs: Path, ours: Path) -> Iterator[Difference]:
    expected, found = film(theirs), film(ours)
    for what in ("size", "coding", "tags"):
        if getattr(expected, what) != getattr(found, what):
            yield Difference(name, what, str(getattr(expected, what)), str(getattr(found, what)))
    if len(expected.shown_s) != len(found.shown_s):
        yield Difference(name, "frames", str(len(expected.shown_s)), str(len(found.shown_s)))
    elif not equal(expected.shown_s - expected.shown_s[0], found.shown_s - found.shown_s[0], SECONDS):
        yield Difference(name, "times", summary(expected.shown_s), summary(found.shown_s))
    if expected.size == found.size and len(expected.shown_s) == len(found.shown_s):
        errors = [picture_error(*pair) for pair in zip(pictures(theirs), pictures(ours), strict=True)]
        if max(errors) > 0:
            yield Difference(name, "pictures", "0", f"{max(errors):.3g} of the pixels of a picture")


def picture_error(theirs: NDArray[np.uint8], ours: NDArray[np.uint8]) -> float:
    """Return the share of pixels that are another colour, beyond what coding does to them."""
    return float(is_other_colour(theirs, ours).mean())


def is_other_colour(theirs: NDArray[np.uint8], ours: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where (H, W) two pictures differ by more than 48 of 255 in the mean of a 4x4 block."""
    distance = np.abs(blocks(theirs) - blocks(ours)).max(axis=-1) > 48
    return np.repeat(np.repeat(distance, 4, axis=0), 4, axis=1)


def blocks(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    height, width = (size // 4 * 4 for size in picture.shape[:2])
    tiles = picture[:height, :width].reshape(height // 4, 4, width // 4, 4, 3)
    return np.asarray(tiles.astype(np.float64).mean(axis=(1, 3)))


def thumbnail_differences(name: str, theirs: Path, ours: Path) -> Iterator[Difference]:
    expected, found = (np.asarray(Image.open(path).convert("RGB")) for path in (theirs, ours))
    if expected.shape != found.shape:
        yield Difference(name, "size", str(expected.shape), str(found.shape))
    elif picture_error(expected, found) > 0:
        yield Difference(name, "picture", "a frame", "another frame")


# --- mesh and calibrations --------------------------------------------------------------------------------------


class Ply(NamedTuple):
    """A binary PLY as its header describes it."""

    properties: tuple[str, ...]
    vertices: NDArray[Any]
    triangles: NDArray[np.int32]


def ply(path: Path) -> Ply:
    """Read a PLY with float, uchar and triangle-list properties by its header alone."""
    data = path.read_bytes()
    end = data.index(b"end_header\n") + len(b"end_header\n")
    lines = [line.split() for line in data[:end].decode("ascii").splitlines()]
    assert lines[1] == ["format", "binary_little_endian", "1.0"]
    count = {words[1]: int(words[2]) for words in lines if words[0] == "element"}
    at = next(i for i, words in enumerate(lines) if words[:2] == ["element", "face"])
    properties = [words for words in lines[:at] if words[0] == "property"]
    kinds = {"float": "<f4", "uchar": "u1", "double": "<f8"}
    vertex = np.dtype([(words[2], kinds[words[1]]) for words in properties])
    face = np.dtype([("count", "u1"), ("corners", "<i4", (3,))])
    assert lines[at + 1] == ["property", "list", "uchar", "int", "vertex_indices"]
    vertices = np.frombuffer(data, vertex, count["vertex"], end)
    faces = np.frombuffer(data, face, count["face"], end + vertices.nbytes)
    assert end + vertices.nbytes + faces.nbytes == len(data)
    return Ply(tuple(" ".join(words[1:]) for words in properties), vertices, faces["corners"])


def corners_of(mesh: Ply) -> NDArray[np.float32]:
    """Return the triangles (M, 3, 3) by the coordinates of their corners."""
    points = np.stack([mesh.vertices[axis] for axis in ("x", "y", "z")], axis=1)
    return points[mesh.triangles]


def mesh_differences(name: str, theirs: Path, ours: Path) -> Iterator[Difference]:
    expected, found = ply(theirs), ply(ours)
    if expected.properties != found.properties:
        yield Difference(name, "properties", str(expected.properties), str(found.properties))
    if len(expected.vertices) != len(found.vertices):
        yield Difference(name, "vertices", str(len(expected.vertices)), str(len(found.vertices)))
    if not np.array_equal(corners_of(expected), corners_of(found)):
        yield Difference(name, "triangles", str(len(expected.triangles)), str(len(found.triangles)))


def array_differences(name: str, theirs: Path, ours: Path) -> Iterator[Difference]:
    expected, found = np.load(theirs), np.load(ours)
    if (expected.shape, expected.dtype) != (found.shape, found.dtype):
        yield Difference(name, "shape", f"{expected.shape} {expected.dtype}", f"{found.shape} {found.dtype}")
    elif not equal(expected, found, 1e-9):
        yield Difference(name, "values", str(expected.tolist()), str(found.tolist()))


def json_differences(name: str, theirs: Path, ours: Path) -> Iterator[Difference]:
    yield from value_differences(name, json.loads(theirs.read_text()), json.loads(ours.read_text()))


def value_differences(where: str, theirs: Any, ours: Any) -> Iterator[Difference]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key, value in theirs.items():
            yield from value_differences(f"{where}:{key}", value, ours.get(key))
    elif theirs != ours:
        yield Difference(where, "values", repr(theirs), repr(ours))


COMPARISONS = {
    ".hdf5": annotation_differences,
    ".mp4": video_differences,
    ".jpg": thumbnail_differences,
    ".ply": mesh_differences,
    ".npy": array_differences,
    ".json": json_differences,
}
