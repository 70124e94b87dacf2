"""What is checked once when a bundle is opened: its list of contents, and that its files belong together.

No image is read for it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from episode_assets.bundle import layout
from episode_assets.bundle.annotation_reading import AnnotationReader, damaged
from episode_assets.bundle.layout import REMEDY
from episode_assets.errors import ArtifactDamaged, ArtifactMissing
from episode_assets.footage import FrameTable
from episode_assets.outcome import Json

_OF_THE_WRITER = (layout.VIDEO, layout.DEPTH_VIDEO, layout.THUMBNAIL, layout.MESH)
"""What shows the scene, and is there only where the list of contents says so; other files of a user's own are fine."""


def read_meta(directory: Path) -> Mapping[str, Json]:
    """Read `meta.json`.

    Raises:
        ArtifactMissing: There is none.
        ArtifactDamaged: It is not valid, or of another schema.
    """
    path = directory / layout.META
    if not path.is_file():
        raise ArtifactMissing(
            "there is no episode bundle here", where=str(directory), remedy="check the path"
        )
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactDamaged(f"not valid JSON: {error}", where=layout.META, remedy=REMEDY) from error
    schema = meta.get("schema") if isinstance(meta, dict) else None
    if schema != layout.SCHEMA:
        raise ArtifactDamaged(
            f"schema {layout.SCHEMA!r} expected, found {schema!r}", where=layout.META, remedy=REMEDY
        )
    if meta.get("schema_version") != layout.SCHEMA_VERSION:
        raise ArtifactDamaged(
            f"schema version {layout.SCHEMA_VERSION} expected, found {meta.get('schema_version')!r}",
            where=layout.META,
            remedy="read it with the version of episode-assets that wrote it, or materialise it again",
        )
    checked: Mapping[str, Json] = meta
    return checked


def mapping_of(meta: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    """Return one mapping of `meta.json`, empty where it has none of this name."""
    value = meta.get(name)
    return value if isinstance(value, Mapping) else {}


def check_files(
    directory: Path, meta: Mapping[str, Json], frames: FrameTable, annotation: AnnotationReader
) -> None:
    """Compare sizes and frame counts of the files with each other.

    Raises:
        ArtifactDamaged: A file is missing, of another size or of nobody knows whom, or the counts or the stamps of
            pictures differ.
    """
    listed = mapping_of(meta, "files")
    for name in _OF_THE_WRITER:
        if name not in listed and os.path.lexists(directory / name):
            raise ArtifactDamaged(
                f"{layout.META} does not list it, so nobody audited it", where=name, remedy="take it away"
            )
    for name, size in listed.items():
        path = directory / name
        found = path.stat().st_size if path.is_file() else None
        # Users append their own groups to exported annotation files; HDF5 itself notices missing bytes.
        if found is None or (name != layout.ANNOTATION and found != size):
            raise ArtifactDamaged(f"{size} bytes expected, found {found}", where=name, remedy=REMEDY)
    counts = {
        "meta.json": meta.get("num_frames"),
        "/rgb/timestamps_ns": annotation.dataset("/rgb/timestamps_ns").shape[0],
    }
    for group in ("/depth/frames", "/hand-pose/left_joints"):
        if annotation.has(group):
            counts[group] = annotation.dataset(group).shape[0]
    for where, count in counts.items():
        if count != len(frames):
            raise ArtifactDamaged(
                f"{len(frames)} pictures in {layout.FRAMES}, {count} in {where}", where=where, remedy=REMEDY
            )
    if not np.array_equal(annotation.array("/rgb/timestamps_ns", np.int64), frames.stamp_ns):
        raise damaged(f"the stamps differ from those of {layout.FRAMES}", "/rgb/timestamps_ns")
