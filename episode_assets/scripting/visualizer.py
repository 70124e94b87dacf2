"""The Rerun file of a session: what a script wants shown, over the audited pictures and never over recorded ones."""

from __future__ import annotations

import logging
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from episode_assets.errors import BadConfig
from episode_assets.scripting.aside import file_place, put_in_place
from episode_assets.scripting.camera import SyncedFrame
from episode_assets.scripting.hand_pose import HandPose
from episode_assets.scripting.upper_body import SkeletonFrame

if TYPE_CHECKING:
    from episode_assets.scripting.reader import MCAPReader

logger = logging.getLogger(__name__)

_MAPS = ("auto", "mesh")

_FIXED = {
    "app_id": "stera",
    "max_viz": False,
    "overlay_size": None,
    "jpeg_quality": 50,
    "trail_len": 30,
    "frustum_depth": 0.15,
    "live_pc_max": 50_000,
    "live_pc_radius": 0.005,
    "max_map_points": 200_000,
    "dense_map": False,
    "dense_every_n": 10,
    "dense_cam_exclude": 1.0,
    "dense_voxel_size": 0.02,
    "mesh_refine": False,
}
"""Options of other visualizers that mean nothing here, and the values at which leaving them out changes nothing."""


class Visualizer:
    """Collects what a script wants shown, and writes the Rerun file of the episode.

    Pictures, depth, poses, IMU and mesh come from the finished episode, so nothing can be seen that is not in it.

    Args:
        session: The session.
        output: Where `export` and `show` write when they are told no other place.
        map_3d: `auto` or `mesh`: the mesh of the episode, where it has one.
        options: Options of other visualizers, at their defaults.

    Raises:
        BadConfig: An option is unknown, or asks for what this one does not do.
    """

    def __init__(
        self,
        session: MCAPReader,
        output: str | Path | None = None,
        *,
        map_3d: str = "auto",
        **options: Any,
    ) -> None:
        if map_3d not in _MAPS:
            raise BadConfig(f"map_3d must be one of {', '.join(_MAPS)}, got {map_3d!r}")
        for name, value in options.items():
            if name not in _FIXED:
                raise BadConfig(f"Visualizer has no option {name!r}")
            if value != _FIXED[name]:
                raise BadConfig(
                    f"{name}={value!r} has no effect here",
                    remedy="leave it out; the file looks like that of every episode, and MeshRefiner makes the mesh",
                )
        self.session = session
        self._output = None if output is None else Path(output)

    def log_frame(
        self,
        frame: SyncedFrame,
        hands: Sequence[HandPose] | None = None,
        skeleton: SkeletonFrame | None = None,
    ) -> None:
        """Show hands and a body at a frame. They become part of the episode.

        Hands count where `add_hand_pose` is not called for the frame. The picture that is shown is the one that was
        handed in for the frame and passed its audit; a frame without one is not shown.

        Raises:
            BadConfig: The frame is of another session.
        """
        if frame.origin is None or frame.origin.session is not self.session:
            raise BadConfig(f"frame {frame.index} was not read from this session")
        if hands is not None and frame.index not in self.session.workshop.hands:
            self.session.add_hand_pose(frame.index, hands)
        if skeleton is not None:
            self.session.add_body(frame.index, skeleton.joints)

    def export(self, path: str | Path | None = None) -> str:
        """Write the Rerun file on its own; finishes the video of the session.

        Raises:
            BadConfig: No place is given, here or when the visualizer was made, or a directory is there.
            AuditFailed: Faces are left in the pictures.
            ViewFailed: The rerun package is missing or cannot write it.
        """
        place = self._output if path is None else path
        if place is None:
            raise BadConfig("there is no place for the Rerun file", remedy="give a path")
        target = file_place(place)
        with put_in_place(target) as aside:
            self.session.write_visualization(aside)
        logger.info("Visualization saved to %s", target)
        return str(target)

    def show(self, block: bool = False) -> None:
        """Open the Rerun file in the viewer; waits until it is closed if `block`."""
        program = shutil.which("rerun")
        if program is None:
            raise BadConfig("the program rerun is not there", remedy="install rerun-sdk")
        path = self.export(self._output or self.session.workshop.new_directory("view") / "session.rrd")
        run = subprocess.run if block else subprocess.Popen
        run([program, path])


RerunVisualizer = Visualizer
"""The name of earlier scripts."""
