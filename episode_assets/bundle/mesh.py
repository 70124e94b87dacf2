"""The mesh of the surroundings in the bundle: taken over from the scene as it is, or why there is none.

Making and colouring the mesh belongs to the scene, its file format to `ply`.
"""

from __future__ import annotations

import json
from pathlib import Path

from episode_assets.bundle.account import Account
from episode_assets.bundle.adoption import link_or_copy
from episode_assets.bundle.layout import MESH, MESH_RECORD
from episode_assets.errors import ArtifactDamaged
from episode_assets.outcome import Skipped
from episode_assets.ply import read_ply

REMEDY = "materialise scene_mesh of this recording again"


def adopt_mesh(scene: Path | None, directory: Path, account: Account) -> bool | None:
    """Take over the mesh byte for byte after reading it once; enters it, or the reason for its absence.

    Args:
        scene: Directory of the `scene_mesh` artifact, None where none was computed.
        directory: The bundle.
        account: Grows.

    Returns:
        Whether the mesh has colours, which are those of blurred pictures; None where there is no mesh.

    Raises:
        ArtifactDamaged: The mesh or the record beside it cannot be read.
    """
    if scene is None:
        account.skip(MESH, "no_scene_mesh", "no mesh of the scene was computed")
        return None
    if not (scene / MESH).is_file():
        reason = _reason(scene / MESH_RECORD)
        account.skip(reason.name, reason.code, reason.detail)
        return None
    link_or_copy(scene / MESH, directory / MESH)
    mesh = read_ply(directory / MESH, remedy=REMEDY)
    account.save(MESH)
    return mesh.colours is not None


def _reason(record: Path) -> Skipped:
    try:
        skipped = json.loads(record.read_text(encoding="utf-8"))["skipped"]
        (found,) = (item for item in skipped if item["name"] == MESH)
        return Skipped(MESH, str(found["code"]), str(found["detail"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactDamaged(
            f"there is no mesh, and no reason for it can be read: {error}", where=record.name, remedy=REMEDY
        ) from error
