"""Every way in which our bundle is not what the Stera SDK writes: why, and a check that it is just that.

A new entry needs a reason that holds for a user of the layout, and a check that fails when the difference is
another one than it says.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from episode_assets_tests.stera import comparison
from episode_assets_tests.stera.conftest import Twins

FACE_MARGIN_PX = 16
"""How far around a blurred rectangle coding and block borders may spread it."""

SURFACE_M = 0.03
"""Farthest that a smoothed surface lies from the one it was made of, and points on it from each other."""


class Deliberate(NamedTuple):
    """Why something differs, and whether it does so in this and no other way."""

    reason: str
    holds: Callable[[Twins], bool]


def dataset(path: Path, name: str) -> NDArray[np.generic]:
    with h5py.File(path / "annotation.hdf5") as file:
        values: NDArray[np.generic] = file[name][()]
        return values


def attributes(path: Path, name: str) -> dict[str, object]:
    with h5py.File(path / "annotation.hdf5") as file:
        return dict(file[name].attrs)


def has_common_filters(twins: Twins) -> bool:
    """Nothing but shuffle and deflate, which every HDF5 library has."""
    with h5py.File(twins.ours / "annotation.hdf5") as file:
        names = [name for name in comparison.paths_of(file) if isinstance(file[name], h5py.Dataset)]
        return all(file[name].compression in {None, "gzip"} for name in names)


def is_cut_where_faces_are(twins: Twins) -> bool:
    theirs, ours = (dataset(path, "/depth/frames") for path in (twins.theirs, twins.ours))
    changed = theirs != ours
    hidden = np.zeros_like(changed)
    height, width = twins_size(twins)
    rows, columns = theirs.shape[1:]
    boxes, frames = dataset(twins.ours, "/privacy/boxes"), dataset(twins.ours, "/privacy/frame_index")
    for (x0, y0, x1, y1), frame in zip(boxes.tolist(), frames.tolist(), strict=True):
        top, bottom = y0 * rows // height, -(-y1 * rows // height)
        left, right = x0 * columns // width, -(-x1 * columns // width)
        hidden[max(frame - 1, 0) : frame + 2, top:bottom, left:right] = True
    return bool((ours[changed] == 0).all() and hidden[changed].all())


def twins_size(twins: Twins) -> tuple[int, int]:
    rgb = attributes(twins.ours, "/rgb")
    return int(rgb["height"]), int(rgb["width"])  # type: ignore[call-overload]


def has_stamps_of_depth_messages(twins: Twins) -> bool:
    stamps, valid = dataset(twins.ours, "/depth/timestamps"), dataset(twins.ours, "/depth/valid")
    nearest = np.abs(twins.seen["rgb"][:, None] - twins.seen["depth"][None]).argmin(axis=1)
    expected = np.where(valid, twins.seen["depth"][nearest], 0.0)
    of_pictures = np.where(valid, twins.seen["rgb"], 0.0)
    return np.allclose(stamps, expected, atol=1e-6) and np.allclose(
        dataset(twins.theirs, "/depth/timestamps"), of_pictures, atol=1e-6
    )


def spans_the_pictures(twins: Twins) -> bool:
    ours, rgb = attributes(twins.ours, "/metadata"), twins.seen["rgb"]
    found = [ours["start_time"], ours["end_time"], ours["duration_s"]]
    return np.allclose(np.array(found, dtype=float), [rgb[0], rgb[-1], rgb[-1] - rgb[0]], atol=1e-6)


def is_median_of_all(twins: Twins) -> bool:
    """The first matrix is theirs, once it is that of the picture; the file holds the median."""
    K = dataset(twins.ours, "/rgb/K").astype(np.float64)
    sizes = [
        json.loads((path / "calibrations" / "meta.json").read_text())["rgb"]
        for path in (twins.theirs, twins.ours)
    ]
    scale = np.array([sizes[1][side] / sizes[0][side] for side in ("width", "height")] + [1.0])[:, None]
    theirs, ours = (np.load(path / "calibrations" / "rgb_K.npy") for path in (twins.theirs, twins.ours))
    return np.allclose(K[0], theirs * scale) and np.allclose(np.median(K, axis=0), ours)


def is_of_the_pictures(twins: Twins) -> bool:
    meta = json.loads((twins.ours / "calibrations" / "meta.json").read_text())["rgb"]
    return (meta["height"], meta["width"]) == twins_size(twins)


def is_the_same_surface(twins: Twins) -> bool:
    """Corners of either mesh lie on the other, within what smoothing moves, but where the record tells of faces."""
    theirs, ours = (
        comparison.corners_of(comparison.ply(path / "mesh.ply")) for path in (twins.theirs, twins.ours)
    )
    left_out = triangles_left_out(twins) / len(theirs)
    return _share_off(ours, theirs) < 0.01 and _share_off(theirs, ours) < 0.01 + left_out


def _share_off(triangles: NDArray[np.float32], surface: NDArray[np.float32]) -> float:
    """Return the share of corners that lie off a surface."""
    from scipy.spatial import KDTree

    distance = KDTree(points_on(surface)).query(triangles.reshape(-1, 3))[0]
    return float((distance >= SURFACE_M).mean())


def triangles_left_out(twins: Twins) -> int:
    """Return how many of the recorder's triangles the record of our mesh says lie at faces."""
    manifests = twins.ours.parents[2].glob("scene_mesh/*/latest/manifest.json")
    notes = [note for path in manifests for note in json.loads(path.read_text())["warnings"]]
    return sum(note["count"] for note in notes if note["code"] == "mesh_faces_left_out")


def points_on(triangles: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return 50 points on each of the triangles (M, 3, 3)."""
    weights = np.random.default_rng(0).dirichlet([1.0, 1.0, 1.0], size=(len(triangles), 50))
    points: NDArray[np.float64] = np.einsum("mki,mij->mkj", weights, triangles).reshape(-1, 3)
    return points


def is_coloured_from_blurred_pictures(twins: Twins) -> bool:
    """Colours come where the SDK puts those that it has, and the record says that no recorded one is among them."""
    properties = comparison.ply(twins.ours / "mesh.ply").properties
    record = json.loads(attributes(twins.ours, "/privacy")["record"])  # type: ignore[arg-type]
    expected = ("float x", "float y", "float z", "uchar red", "uchar green", "uchar blue")
    return properties == expected and record["colours"] == "recoloured"


def says_how_colours_are_coded(twins: Twins) -> bool:
    unknown = 2
    return unknown not in comparison.film(twins.ours / "rgb.mp4").tags[1:]


def shows_every_frame_at_its_stamp(twins: Twins) -> bool:
    shown, stamps = comparison.film(twins.ours / "rgb.mp4").shown_s, twins.seen["rgb"]
    return len(shown) == len(stamps) and np.abs(shown - (stamps - stamps[0])).max() <= 5e-6


def is_blurred_where_faces_are(twins: Twins) -> bool:
    boxes, frames = dataset(twins.ours, "/privacy/boxes"), dataset(twins.ours, "/privacy/frame_index")
    pairs = zip(*(comparison.pictures(path / "rgb.mp4") for path in (twins.theirs, twins.ours)), strict=True)
    for number, (theirs, ours) in enumerate(pairs):
        other = comparison.is_other_colour(theirs, ours)
        for x0, y0, x1, y1 in boxes[frames == number].tolist():
            other[
                max(y0 - FACE_MARGIN_PX, 0) : y1 + FACE_MARGIN_PX,
                max(x0 - FACE_MARGIN_PX, 0) : x1 + FACE_MARGIN_PX,
            ] = False
        if other.any():
            return False
    return True


def is_a_frame_of_the_blurred_video(twins: Twins) -> bool:
    thumbnail = np.asarray(Image.open(twins.ours / "thumbnail.jpg").convert("RGB"))
    height, width = thumbnail.shape[:2]
    errors = [
        comparison.picture_error(frame[:height, :width], thumbnail)
        for frame in comparison.pictures(twins.ours / "rgb.mp4")
    ]
    return min(errors) == 0


def is_playable_at_the_size_of_the_pictures(twins: Twins) -> bool:
    height, width = twins_size(twins)
    return comparison.film(twins.ours / "rgb.mp4").size == (width + width % 2, height + height % 2)


FILTERS = Deliberate("shuffle and deflate 1: an eighth of the time, every h5py reads it", has_common_filters)
PACKED_HANDS = ("joints", "kpts_2d_rgb", "mano_global_orient", "mano_hand_pose", "mano_betas", "pred_cam")
PACKED_MORE = ("pred_cam_t", "cam_t", "focal_length")

DELIBERATE: dict[tuple[str, str], Deliberate] = {
    ("/depth/frames", "storage"): FILTERS,
    **{
        (f"/hand-pose/{side}_{name}", "storage"): FILTERS
        for side in ("left", "right")
        for name in PACKED_HANDS + PACKED_MORE
    },
    ("/depth/frames", "values"): Deliberate(
        "depth shows the face that the video hides: a hole there, and nowhere else", is_cut_where_faces_are
    ),
    ("/depth/timestamps", "values"): Deliberate(
        "the stamp of the depth message itself; the SDK repeats that of the picture",
        has_stamps_of_depth_messages,
    ),
    **{
        ("/metadata", f"attribute {name}"): Deliberate(
            "times are those of the pictures; the SDK takes the log times of whatever is first and last in the file, "
            "so that a late mesh lengthens the video",
            spans_the_pictures,
        )
        for name in ("start_time", "end_time", "duration_s")
    },
    ("calibrations/rgb_K.npy", "values"): Deliberate(
        "autofocus moves K: the median of all frames, each of which has its own in /rgb/K", is_median_of_all
    ),
    **{
        (f"calibrations/meta.json:rgb:{side}", "values"): Deliberate(
            "the calibration of the capture buffer is scaled to the picture, as is its K", is_of_the_pictures
        )
        for side in ("width", "height")
    },
    **{
        ("mesh.ply", what): Deliberate(
            "equal corners are one vertex; specks, holes and faces are gone, triangles divided",
            is_the_same_surface,
        )
        for what in ("vertices", "triangles")
    },
    ("mesh.ply", "properties"): Deliberate(
        "recorded colours are raw pixels; those here are taken from blurred ones",
        is_coloured_from_blurred_pictures,
    ),
    ("rgb.mp4", "tags"): Deliberate(
        "players need not guess how colours are coded", says_how_colours_are_coded
    ),
    ("rgb.mp4", "times"): Deliberate(
        "every frame is shown at its own stamp; the SDK spreads them evenly", shows_every_frame_at_its_stamp
    ),
    ("rgb.mp4", "pictures"): Deliberate("faces are blurred, and nothing else", is_blurred_where_faces_are),
    ("rgb.mp4", "size"): Deliberate(
        "the size is that of the pictures; the SDK takes the capture buffer's and scrambles them",
        is_playable_at_the_size_of_the_pictures,
    ),
    ("rgb.mp4", "frames"): Deliberate(
        "every picture is a frame; the SDK cuts scrambled ones out of the stream of bytes",
        shows_every_frame_at_its_stamp,
    ),
    ("thumbnail.jpg", "picture"): Deliberate(
        "a sharp frame of the blurred video; the SDK takes the raw one in the middle",
        is_a_frame_of_the_blurred_video,
    ),
}
