"""The mesh of the surroundings: aggregated or fused, cleaned, and coloured from blurred pictures only.

Everything that changes a mesh belongs here. Reading markers belongs to `recording`, the file format to `ply`, what
is known about each blurred picture to `footage`.
"""

from episode_assets.scene.config import SceneMeshConfig
from episode_assets.scene.make import build_scene_mesh

__all__ = ["SceneMeshConfig", "build_scene_mesh"]
