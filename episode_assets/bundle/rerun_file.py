"""A Rerun file (.rrd) that is written while its episode is walked: one function for each kind of thing in it.

The file is a stream of chunks; each call writes what it is given and holds none of it, so memory does not grow with
the length. No viewer is started and nothing is sent anywhere. Which parts of a bundle go in is decided in
`visualization`; what is logged must already be free of unblurred pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle import rerun_names as names
from episode_assets.bundle.layout import FINGER_BONES, PALM_BONES, Side
from episode_assets.bundle.rerun_blueprint import blueprint
from episode_assets.bundle.rerun_columns import Bones, Moments, Skeletons, changes, ends, whole
from episode_assets.bundle.rerun_depth import MEDIA_TYPE, depth_png
from episode_assets.bundle.rerun_stream import RerunStream
from episode_assets.errors import ViewFailed
from episode_assets.footage import BOX_LABELS
from episode_assets.geometry import matrix_to_quaternion, vertex_normals
from episode_assets.video import EncodedPicture

HAND_BONES: Bones = (*FINGER_BONES, *PALM_BONES)
PICTURES_AT_ONCE = 16
"""Encoded pictures that are read before they are handed on."""


class RerunFile:
    """A Rerun file being written; use it in a `with` block.

    Every `log_...` function may be called any number of times, for one picture or for many, with the moments in order
    within one kind of thing.

    Args:
        path: The file to write; replaced where it exists.
        recording_id: Names the recording inside the file; the same one gives the same.

    Raises:
        ViewFailed: From any function here: the rerun package is missing, is switched off, or could not write.
    """

    def __init__(self, path: Path, *, recording_id: str) -> None:
        self.logged: set[str] = set()
        self._present: set[str] = set()
        self._trail = np.empty((0, 3))
        self._has_blueprint = False
        self._stream = RerunStream(path, recording_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self._stream.abandon()

    def close(self) -> None:
        """Finish the file and see that it reads back; the layout of what was logged is added where none was."""
        if not self._has_blueprint:
            self.log_blueprint(self.logged)
        self._stream.close()

    # --- what does not change over time ------------------------------------------------------------------------

    def log_blueprint(self, logged: Iterable[str]) -> None:
        """Say how the file opens; early, a viewer need not wait for it.

        Args:
            logged: Entities that are or will be in the file, as in `rerun_names`.
        """
        self._has_blueprint = True
        with self._stream.failures():
            self._stream.blueprint(blueprint(set(logged)))

    def log_scene(self, link_from_optical: NDArray[np.float64]) -> None:
        """Write the frames that everything else stands in, and how it looks.

        Args:
            link_from_optical: (4, 4), p_link = T p_optical, metres.
        """
        with self._stream.failures():
            import rerun as rr

            self._stream.static(names.WORLD, rr.ViewCoordinates.RIGHT_HAND_Y_UP)
            self._stream.static(names.CAMERA, rr.TransformAxes3D(names.AXIS_LENGTH_M))
            # Rerun's transforms lead from the child to the parent, like those of ROS: no transpose.
            self._stream.static(
                names.OPTICAL,
                rr.Transform3D(
                    translation=link_from_optical[:3, 3],
                    quaternion=rr.Quaternion(xyzw=matrix_to_quaternion(link_from_optical[:3, :3])),
                ),
            )
            plane = rr.Pinhole.from_fields(
                image_plane_distance=names.IMAGE_PLANE_M, color=names.CAMERA_COLOUR
            )
            self._stream.static(names.PICTURE, plane)
            self._stream.static(names.FACES, rr.Boxes2D.from_fields(colors=names.FACE_COLOUR))
            self._stream.static(
                names.TRAIL,
                rr.LineStrips3D.from_fields(colors=names.TRAIL_COLOUR, radii=names.TRAIL_RADIUS_M),
            )

    def log_mesh(
        self,
        vertices: NDArray[np.float32],
        triangles: NDArray[np.int32],
        colours: NDArray[np.uint8] | None = None,
    ) -> None:
        """Write the mesh of the scene.

        Args:
            vertices: (V, 3) world metres.
            triangles: (M, 3) rows of `vertices`.
            colours: (V, 3) RGB that was taken from blurred pictures; None draws it grey.
        """
        with self._stream.failures():
            import rerun as rr

            mesh = rr.Mesh3D(
                vertex_positions=whole(vertices, np.float32),
                triangle_indices=whole(triangles, np.uint32),
                vertex_normals=vertex_normals(vertices, triangles),
                vertex_colors=None if colours is None else whole(colours, np.uint8),
                albedo_factor=None if colours is not None else names.MESH_COLOUR,
            )
            self._stream.static(names.MESH, mesh)

    def log_point_cloud(self, points: NDArray[np.floating]) -> None:
        """Write the points of the surroundings: (n, 3) world metres; all in one colour, for they have none."""
        chosen = np.linspace(0, len(points) - 1, min(len(points), names.MOST_CLOUD_POINTS)).astype(np.int64)
        with self._stream.failures():
            import rerun as rr

            cloud = rr.Points3D(
                whole(points[chosen], np.float32), colors=names.CLOUD_COLOUR, radii=names.CLOUD_RADIUS_M
            )
            self._stream.static(names.CLOUD, cloud)

    def log_trajectory(self, pieces: Sequence[NDArray[np.floating]]) -> None:
        """Write the whole way of the camera: (n, 3) world metres for each piece without a gap."""
        with self._stream.failures():
            import rerun as rr

            self._stream.static(
                names.TRAJECTORY,
                rr.LineStrips3D(
                    [whole(piece, np.float32) for piece in pieces],
                    colors=names.TRAJECTORY_COLOUR,
                    radii=names.TRAJECTORY_RADIUS_M,
                ),
            )

    # --- pictures ----------------------------------------------------------------------------------------------

    def log_video(self, moments: Moments, pictures: Iterable[EncodedPicture], codec: str) -> None:
        """Write the blurred video, whose encoded pictures are taken over as they are.

        Args:
            moments: When each picture was taken.
            pictures: As many, in order; a few are held at a time.
            codec: `h264`, `hevc` or `av1`.
        """
        with self._stream.failures():
            import rerun as rr

            codecs = {"h264": rr.VideoCodec.H264, "hevc": rr.VideoCodec.H265, "av1": rr.VideoCodec.AV1}
            self._stream.static(names.PICTURE, rr.VideoStream.from_fields(codec=codecs[codec]))
        following, start = iter(pictures), 0
        while piece := list(islice(following, PICTURES_AT_ONCE)):
            self._log_samples(moments.rows(slice(start, start + len(piece))), piece)
            start += len(piece)
        if start != len(moments):
            raise ViewFailed(f"{len(moments)} pictures expected, {start} are in the video")

    def _log_samples(self, moments: Moments, pictures: list[EncodedPicture]) -> None:
        with self._stream.failures():
            import rerun as rr

            samples = rr.VideoStream.columns(
                sample=[picture.data for picture in pictures],
                is_keyframe=[picture.is_key for picture in pictures],
            )
            self._send(names.PICTURE, moments, samples)

    def log_picture_intrinsics(
        self, moments: Moments, K: NDArray[np.float64], *, width: int, height: int
    ) -> None:
        """Write the intrinsics of the pictures: (n, 3, 3) pixels, NaN where unknown, for a size in pixels."""
        self._log_pinhole(names.PICTURE, moments, K, (width, height))

    def log_faces(
        self,
        moments: Moments,
        counts: NDArray[np.integer],
        rectangles_px: NDArray[np.integer],
        labels: NDArray[np.uint8] | None = None,
    ) -> None:
        """Write where pictures were blurred.

        Args:
            moments: n moments.
            counts: (n,) rectangles at each moment.
            rectangles_px: (sum of counts, 4) x0, y0, x1, y1, half-open, one moment after another.
            labels: Position in `footage.BOX_LABELS` of each; None where nobody says.
        """
        is_present = np.asarray(counts) > 0
        corners = whole(rectangles_px, np.float32).reshape(-1, 4)
        with self._stream.failures():
            import rerun as rr

            self._clear_ends(names.FACES, moments, is_present)
            if is_present.any():
                boxes = rr.Boxes2D.columns(
                    half_sizes=(corners[:, 2:] - corners[:, :2]) / 2,
                    centers=(corners[:, 2:] + corners[:, :2]) / 2,
                    labels=_words(labels, len(corners)),
                )
                self._send(names.FACES, moments.rows(is_present), boxes.partition(counts[is_present]))

    def log_depth(
        self,
        moments: Moments,
        images_mm: Sequence[NDArray[np.uint16] | None],
        *,
        K: NDArray[np.float64] | None = None,
        stamp_ns: NDArray[np.int64] | None = None,
    ) -> None:
        """Write depth images beside the pictures they belong to.

        Args:
            moments: n moments of pictures.
            images_mm: n images (H, W) uint16, 0 for missing; None where a picture has none.
            K: (n, 3, 3) depth pixels, NaN where unknown.
            stamp_ns: (n,) int64 stamp of the depth message itself.
        """
        is_present = np.array([image is not None for image in images_mm], np.bool_)
        images = [image for image in images_mm if image is not None]
        with self._stream.failures():
            if images and names.DEPTH not in self.logged:
                self._log_depth_looks()
            self._clear_ends(names.DEPTH, moments, is_present)
        if not images:
            return
        rows = np.flatnonzero(is_present)
        stamps = None if stamp_ns is None else stamp_ns[rows]
        self._log_depth_blobs(moments.rows(rows), [depth_png(image) for image in images], stamps)
        if K is not None:
            height, width = images[0].shape
            self._log_pinhole(names.DEPTH, moments.rows(rows), K[rows], (width, height))

    def _log_depth_looks(self) -> None:
        import rerun as rr

        looks = rr.EncodedDepthImage.from_fields(
            media_type=MEDIA_TYPE,
            meter=1000.0,
            colormap=rr.components.Colormap.Turbo,
            depth_range=[0.0, names.FARTHEST_COLOURED_MM],
        )
        self._stream.static(names.DEPTH, looks)

    def _log_depth_blobs(
        self, moments: Moments, blobs: list[bytes], stamp_ns: NDArray[np.int64] | None
    ) -> None:
        with self._stream.failures():
            import rerun as rr

            columns = [*rr.EncodedDepthImage.columns(blob=blobs)]
            if stamp_ns is not None:
                columns += rr.AnyValues.columns(depth_stamp_ns=stamp_ns)
            self._send(names.DEPTH, moments, columns)

    # --- the camera --------------------------------------------------------------------------------------------

    def log_cameras(self, moments: Moments, world_from_link: NDArray[np.float64]) -> None:
        """Write where the camera is, and the trail of where it was.

        Args:
            moments: n moments of pictures.
            world_from_link: (n, 4, 4), p_world = T p_link, metres; NaN where unknown: nothing is shown there then.
        """
        is_known = np.asarray(np.isfinite(world_from_link).all(axis=(1, 2)))
        translation = np.where(is_known[:, None], world_from_link[:, :3, 3], 0.0)
        # Rerun takes a quaternion without length for an invalid transform, and hides what depends on it.
        quaternion = np.zeros((len(moments), 4))
        quaternion[is_known] = matrix_to_quaternion(world_from_link[is_known, :3, :3])
        with self._stream.failures():
            import rerun as rr

            poses = rr.Transform3D.columns(translation=translation, quaternion=quaternion)
            self._send(names.CAMERA, moments, poses)
            self._log_trail(moments.rows(is_known), translation[is_known])

    def _log_trail(self, moments: Moments, positions: NDArray[np.float64]) -> None:
        import rerun as rr

        if len(positions) == 0:
            return
        # The first positions stand for the ones before them, so that all trails have the same number of points.
        known = (
            self._trail if len(self._trail) else np.repeat(positions[:1], names.TRAIL_PICTURES - 1, axis=0)
        )
        walked = np.concatenate([known, positions])
        trails = np.lib.stride_tricks.sliding_window_view(walked, names.TRAIL_PICTURES, axis=0)
        strips = whole(np.swapaxes(trails, 1, 2), np.float32)
        self._send(names.TRAIL, moments, rr.LineStrips3D.columns(strips=strips))
        self._trail = walked[1 - names.TRAIL_PICTURES :]

    def log_tracking(
        self, time_ns: NDArray[np.int64], state: NDArray[np.uint8], reason: NDArray[np.uint8]
    ) -> None:
        """Write what the recorder says about its own tracking, wherever that changes; all (n,)."""
        if names.TRACKING_STATE not in self.logged:
            self._log_state_looks()
        words = {code: word for code, (word, _) in names.STATES.items()}
        self._log_states(names.TRACKING_STATE, time_ns, state, words)
        self._log_states(names.TRACKING_REASON, time_ns, reason, names.REASONS)

    def _log_state_looks(self) -> None:
        with self._stream.failures():
            import rerun as rr

            looks = rr.StateConfiguration(
                values=[word for word, _ in names.STATES.values()],
                colors=[colour for _, colour in names.STATES.values()],
            )
            self._stream.static(names.TRACKING_STATE, looks)

    def _log_states(
        self, path: str, time_ns: NDArray[np.int64], codes: NDArray[np.uint8], words: dict[int, str]
    ) -> None:
        rows = changes(codes)
        with self._stream.failures():
            import rerun as rr

            said = [words.get(int(code), f"code {int(code)}") for code in codes[rows]]
            self._send(path, Moments(time_ns[rows]), rr.StateChange.columns(state=said))

    def log_imu(
        self,
        time_ns: NDArray[np.int64],
        linear_acceleration: NDArray[np.floating],
        angular_velocity: NDArray[np.floating],
    ) -> None:
        """Write IMU samples at their own times: (n,) since the first picture, (n, 3) m/s2 and (n, 3) rad/s."""
        for path, values in ((names.ACCELERATION, linear_acceleration), (names.GYRO, angular_velocity)):
            for column, axis in enumerate("xyz"):
                self._log_scalars(f"{path}/{axis}", axis, time_ns, values[:, column])
            self.logged.add(path)

    def _log_scalars(
        self, path: str, name: str, time_ns: NDArray[np.int64], values: NDArray[np.floating]
    ) -> None:
        with self._stream.failures():
            import rerun as rr

            if path not in self.logged:
                looks = rr.SeriesLines(names=name, colors=names.AXIS_COLOURS[name])
                self._stream.static(path, looks)
            self._send(path, Moments(time_ns), rr.Scalars.columns(scalars=whole(values, np.float64)))

    # --- hands and body ----------------------------------------------------------------------------------------

    def log_hand_in_world(self, side: Side, moments: Moments, joints_world: NDArray[np.floating]) -> None:
        """Write a hand in the world: (n, 21, 3) metres, NaN for joints that are not known."""
        self._log_hand(names.hand_in_world(side), side, moments, joints_world)

    def log_hand_before_camera(self, side: Side, moments: Moments, joints_cam: NDArray[np.floating]) -> None:
        """Write a hand in the camera's optical frame, for recordings without poses: (n, 21, 3) metres."""
        self._log_hand(names.hand_before_camera(side), side, moments, joints_cam)

    def log_hand_in_picture(self, side: Side, moments: Moments, joints_px: NDArray[np.floating]) -> None:
        """Write a hand in the picture: (n, 21, 2) pixels of the recorded picture, NaN for joints not known."""
        self._log_hand(names.hand_in_picture(side), side, moments, joints_px)

    def _log_hand(self, path: str, side: Side, moments: Moments, joints: NDArray[np.floating]) -> None:
        looks = names.HAND_IN_SPACE if joints.shape[2] == 3 else names.HAND_IN_PICTURE
        self._log_skeletons(path, moments, joints, HAND_BONES, names.HAND_COLOURS[side], looks)

    def log_upper_body(self, moments: Moments, joints_world: NDArray[np.floating], edges: Bones) -> None:
        """Write the estimated body of the wearer: (n, J, 3) world metres, NaN where unknown; edges join joints."""
        self._log_skeletons(names.BODY, moments, joints_world, edges, names.BODY_COLOUR, names.BODY_IN_SPACE)

    def _log_skeletons(
        self,
        path: str,
        moments: Moments,
        joints: NDArray[np.floating],
        bones: Bones,
        colour: names.Colour,
        radii: names.Radii,
    ) -> None:
        shown = Skeletons.of(joints, bones)
        with self._stream.failures():
            import rerun as rr

            points, lines = (
                (rr.Points3D, rr.LineStrips3D) if joints.shape[2] == 3 else (rr.Points2D, rr.LineStrips2D)
            )
            if path not in self.logged:
                self._stream.static(f"{path}/joints", points.from_fields(radii=radii.joint, colors=colour))
                self._stream.static(f"{path}/bones", lines.from_fields(radii=radii.bone, colors=colour))
                self.logged.add(path)
            self._clear_ends(path, moments, shown.is_present)
            if shown.is_present.any():
                now = moments.rows(shown.is_present)
                joint_columns = points.columns(positions=shown.joints).partition(shown.joint_counts)
                self._send(f"{path}/joints", now, joint_columns)
                bone_columns = lines.columns(strips=shown.bones).partition(shown.bone_counts)
                self._send(f"{path}/bones", now, bone_columns)

    # --- writing -----------------------------------------------------------------------------------------------

    def _log_pinhole(
        self, path: str, moments: Moments, K: NDArray[np.float64], size: tuple[int, int]
    ) -> None:
        is_known = np.asarray(np.isfinite(K).all(axis=(1, 2)))
        if not is_known.any():
            return
        with self._stream.failures():
            import rerun as rr

            count = int(is_known.sum())
            lenses = rr.Pinhole.columns(
                image_from_camera=whole(K[is_known], np.float32),
                resolution=np.tile(np.array(size, np.float32), (count, 1)),
                camera_xyz=[rr.ViewCoordinates.RDF] * count,
            )
            self._send(path, moments.rows(is_known), lenses)

    def _clear_ends(self, path: str, moments: Moments, is_present: NDArray[np.bool_]) -> None:
        """Take away what was at a path and is not there any more; otherwise a viewer goes on showing it."""
        import rerun as rr

        rows = ends(is_present, was_present=path in self._present)
        if len(rows):
            self._send(path, moments.rows(rows), rr.Clear.columns(is_recursive=[True] * len(rows)))
        if len(is_present):
            (self._present.add if is_present[-1] else self._present.discard)(path)

    def _send(self, path: str, moments: Moments, columns: Iterable[Any]) -> None:
        self.logged.add(path)
        self._stream.send(path, moments, columns)


def _words(labels: NDArray[np.uint8] | None, count: int) -> list[str]:
    if labels is None:
        return ["blurred"] * count
    return [BOX_LABELS[code] if code < len(BOX_LABELS) else "blurred" for code in labels.tolist()]
