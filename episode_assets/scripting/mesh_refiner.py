"""The scene's mesh for a script: cleaned, densified, and coloured from blurred pictures."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import MissingStream
from episode_assets.geometry import vertex_normals
from episode_assets.ply import read_ply
from episode_assets.scene import SceneMeshConfig
from episode_assets.scene.document import MESH
from episode_assets.scripting.options import checked_options

if TYPE_CHECKING:
    from episode_assets.scripting.reader import MCAPReader


@dataclass(frozen=True, eq=False)
class RefinedMesh:
    """A mesh in the world.

    Attributes:
        vertices: (N, 3) float32 metres.
        faces: (M, 3) int32.
        vertex_colors: (N, 3) uint8 from blurred pictures, or None.
        vertex_normals: (N, 3) float32 unit vectors, zeros where no face is.
        session: The session that it belongs to. It keeps the file that an export takes, whatever is done to the arrays.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    vertex_colors: NDArray[np.uint8] | None
    vertex_normals: NDArray[np.float32]
    session: MCAPReader = field(repr=False)


class MeshRefiner:
    """Makes the mesh of a session.

    Args:
        session: The session; its frames must have been handed in already, as colours come from them.
        options: Settings of `SceneMeshConfig` by name.

    Raises:
        BadConfig: There is no such setting, or it is out of range.
    """

    def __init__(self, session: MCAPReader, **options: Any) -> None:
        self._session = session
        self._config = replace(SceneMeshConfig(), **checked_options("MeshRefiner", options, SceneMeshConfig))

    def refine(self) -> RefinedMesh:
        """Return the mesh; finishes the video of the session.

        Raises:
            MissingStream: There is nothing to make a mesh of.
            AuditFailed: Faces are left in the pictures.
        """
        directory = self._session.workshop.mesh(self._session.dropped, self._config)
        if not (directory / MESH).is_file():
            raise MissingStream(
                "the recording has nothing to make a mesh of", where=self._session.view.recording_id
            )
        mesh = read_ply(directory / MESH, remedy="refine it again")
        vertices, faces = mesh.vertices.astype(np.float32), mesh.triangles.astype(np.int32)
        colours = mesh.colours
        refined = RefinedMesh(vertices, faces, colours, vertex_normals(vertices, faces), self._session)
        self._session.workshop.meshes[refined] = directory
        return refined
