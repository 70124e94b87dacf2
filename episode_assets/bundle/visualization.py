"""`visualization.rrd`: a finished bundle as a file that the Rerun viewer opens.

Everything in it is read from the bundle, so nothing can be in it that is not there already: its pictures are the
encoded ones of the blurred video. Memory does not grow with the length of the recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle import rerun_names as names
from episode_assets.bundle.layout import SIDES, Side
from episode_assets.bundle.reader import EpisodeBundle
from episode_assets.bundle.rerun_columns import Moments
from episode_assets.bundle.rerun_file import RerunFile
from episode_assets.errors import BadVideo, ViewFailed
from episode_assets.geometry import compose, inverse
from episode_assets.progress import Progress, silent
from episode_assets.video import encoded_pictures, streamable_codec

PICTURES_AT_ONCE = 256
"""Rows of a chunk: enough that chunks are few, few enough that they are small."""

DEPTH_AT_ONCE = 16
SAMPLES_AT_ONCE = 8192
STAGE = "visualization"


def write_visualization(
    bundle: EpisodeBundle, out: Path, *, depth_every: int = 1, progress: Progress = silent
) -> None:
    """Write the Rerun file of a bundle.

    Args:
        bundle: A whole bundle; all times are relative to its first picture.
        out: Where to write.
        depth_every: Take the depth of every n-th picture.
        progress: Told after every block of depth images.

    Raises:
        ViewFailed: The rerun package is missing or cannot write it, or its viewer has no way to show such a video.
    """
    moments = Moments.of_pictures(bundle.stamps_ns)
    with RerunFile(out, recording_id=bundle.recording_id) as file:
        file.log_scene(_link_from_optical(bundle))
        file.log_blueprint(_contents(bundle))
        _log_still_things(file, bundle)
        _log_video(file, bundle, moments)
        for rows in _blocks(len(moments), PICTURES_AT_ONCE):
            _log_camera(file, bundle, moments, rows)
            _log_faces(file, bundle, moments, rows)
            _log_people(file, bundle, moments, rows)
        _log_depth(file, bundle, moments, depth_every, progress)
        _log_streams(file, bundle)


def _contents(bundle: EpisodeBundle) -> set[str]:
    has = {
        names.PICTURE: True,
        names.CAMERA: bool(bundle.poses.valid.any()),
        names.DEPTH: bundle.depth is not None,
        names.MESH: bundle.mesh is not None,
        names.ACCELERATION: bundle.imu is not None,
        names.TRACKING_STATE: bundle.tracking is not None,
    }
    return {entity for entity, is_there in has.items() if is_there}


def _link_from_optical(bundle: EpisodeBundle) -> NDArray[np.float64]:
    calibrations = bundle.calibrations
    return _matrix(calibrations.R_link_from_optical, calibrations.offset_m)


def _matrix(R: NDArray[np.float64], t: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix = np.broadcast_to(np.eye(4), (*R.shape[:-2], 4, 4)).copy()
    matrix[..., :3, :3], matrix[..., :3, 3] = R, t
    return matrix


def _log_still_things(file: RerunFile, bundle: EpisodeBundle) -> None:
    mesh, poses = bundle.mesh, bundle.poses
    if mesh is not None:
        file.log_mesh(mesh.vertices, mesh.triangles, mesh.colours)
    if bundle.point_cloud is not None:
        file.log_point_cloud(bundle.point_cloud.points)
    is_broken = bundle.frames.gap_before | ~poses.valid
    pieces = np.split(poses.world_from_optical[:, :3, 3], np.flatnonzero(is_broken))
    walked = [piece[np.isfinite(piece).all(axis=1)] for piece in pieces]
    if whole := [piece for piece in walked if len(piece) > 1]:
        file.log_trajectory(whole)


def _log_video(file: RerunFile, bundle: EpisodeBundle, moments: Moments) -> None:
    codec = streamable_codec(bundle.video_path)
    if codec is None:
        raise ViewFailed("the codec of the video has no form outside of a file", where=bundle.video_path.name)
    try:
        file.log_video(moments, encoded_pictures(bundle.video_path), codec)
    except BadVideo as error:
        raise ViewFailed(error.what, where=error.where, remedy=error.remedy) from error


def _log_camera(file: RerunFile, bundle: EpisodeBundle, moments: Moments, rows: slice) -> None:
    if bundle.K is not None:
        width, height = bundle.picture_size
        file.log_picture_intrinsics(moments.rows(rows), bundle.K[rows], width=width, height=height)
    if bundle.poses.valid.any():
        optical, link = bundle.poses.world_from_optical[rows], _link_from_optical(bundle)
        R, t = compose((optical[:, :3, :3], optical[:, :3, 3]), inverse((link[:3, :3], link[:3, 3])))
        file.log_cameras(moments.rows(rows), _matrix(R, t))


def _log_faces(file: RerunFile, bundle: EpisodeBundle, moments: Moments, rows: slice) -> None:
    boxes = bundle.face_boxes
    first, last = np.searchsorted(boxes.frame_index, (rows.start, rows.stop))
    counts = np.bincount(boxes.frame_index[first:last] - rows.start, minlength=rows.stop - rows.start)
    file.log_faces(moments.rows(rows), counts, boxes.rectangle_px[first:last], boxes.label[first:last])


def _log_people(file: RerunFile, bundle: EpisodeBundle, moments: Moments, rows: slice) -> None:
    now = moments.rows(rows)
    for side in SIDES if bundle.has_hands else ():
        _log_hand(file, bundle, side, now, rows)
    if bundle.upper_body is not None:
        file.log_upper_body(now, bundle.upper_body.joints_world[rows], bundle.upper_body_edges)


def _log_hand(file: RerunFile, bundle: EpisodeBundle, side: Side, now: Moments, rows: slice) -> None:
    hand = bundle.hand(side, rows)
    file.log_hand_in_picture(side, now, hand.joints_px)
    if bundle.poses.valid.any():
        file.log_hand_in_world(side, now, hand.joints_world)
    else:
        file.log_hand_before_camera(side, now, hand.joints_cam)


def _log_depth(
    file: RerunFile, bundle: EpisodeBundle, moments: Moments, every: int, progress: Progress
) -> None:
    depth = bundle.depth
    if depth is None:
        return
    chosen = np.arange(0, len(moments), every)
    for rows in _blocks(len(chosen), DEPTH_AT_ONCE):
        pictures = chosen[rows]
        file.log_depth(
            moments.rows(pictures),
            [bundle.depth_frame(int(picture)) for picture in pictures],
            K=None if depth.K is None else depth.K[pictures],
            stamp_ns=depth.stamp_ns[pictures],
        )
        progress(STAGE, rows.stop, len(chosen))


def _log_streams(file: RerunFile, bundle: EpisodeBundle) -> None:
    start_ns = bundle.stamps_ns[0]
    imu, tracking = bundle.imu, bundle.tracking
    for rows in _blocks(0 if imu is None else len(imu.stamp_ns), SAMPLES_AT_ONCE):
        assert imu is not None
        file.log_imu(imu.stamp_ns[rows] - start_ns, imu.linear_acceleration[rows], imu.angular_velocity[rows])
    if tracking is not None:
        file.log_tracking(tracking.stamp_ns - start_ns, tracking.state, tracking.reason)


def _blocks(count: int, size: int) -> Iterator[slice]:
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
