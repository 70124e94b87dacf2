"""`mesh.json`: how a mesh came about, for people and for the rooms that take the mesh over.

Numbers per step are entered by the steps; here is the record and its file. Rooms above read it as plain JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from episode_assets.outcome import Json, Note, Skipped

MESH = "mesh.ply"
DOCUMENT = "mesh.json"
SCHEMA = "scene_mesh"
SCHEMA_VERSION = 1


@dataclass
class MeshDocument:
    """Grows while a mesh is made.

    Attributes:
        source: `marker`, `fusion`, or `none` where there is no mesh.
        colours: `recoloured` from blurred pictures, or `dropped`.
        face_triangles: Triangles of the recorder's mesh that were left out since they lie where pictures were blurred.
        steps: Counts by step: what came in, what was removed or added.
        skipped: What is not there, and why.
        warnings: What was odd on the way.
    """

    source: str = "none"
    colours: str = "dropped"
    face_triangles: int = 0
    steps: dict[str, Mapping[str, Json]] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    warnings: list[Note] = field(default_factory=list)

    def note(self, code: str, detail: str, *, count: int) -> None:
        """Enter an observation; nothing is entered for a count of zero."""
        if count:
            self.warnings.append(Note(code, f"{count} {detail}", "mesh", count))


def write_document(path: Path, document: MeshDocument) -> None:
    """Write the record as strict JSON."""
    content = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "source": document.source,
        "colours": document.colours,
        "steps": document.steps,
        "skipped": [asdict(item) for item in document.skipped],
        "warnings": [
            {"code": note.code, "detail": note.detail, "count": note.count} for note in document.warnings
        ],
    }
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
