"""What a person needs to review the faces of one recording: tracks, finds of the audit, a sheet of blurred pictures.

Pictures come from the published video alone. Of a result that was refused boxes and numbers are there, and stills in
which every find is filled solid.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from episode_assets.anonymization.review import TrackSummary, summarise_tracks, write_sheet
from episode_assets.errors import ArtifactDamaged, UnauditedArtifact
from episode_assets.pipeline.steps import BLURRED_RGB
from episode_assets.storage import Quarantined, Store


@dataclass(frozen=True)
class FaceReview:
    """What is hidden in a recording.

    Attributes:
        place: Address of the version, or of the evidence.
        refusal: Why the newest result was refused; empty where it is published.
        video: Digest of a refused video, by which an exception names it; empty where one is published.
        tracks: Faces and drawn areas.
        finds: What the audit found, as `audit.json` lists it, without what was blurred afterwards.
        pictures: Addresses of the stills that show why a result was refused; empty where one is published.
        sheet: The file that was written, and of how many tracks it shows a picture; None without one.
    """

    place: str
    refusal: str
    video: str
    tracks: tuple[TrackSummary, ...]
    finds: tuple[Mapping[str, Any], ...]
    pictures: tuple[str, ...]
    sheet: tuple[Path, int] | None


def review_faces(store: Store, recording_id: str, *, preview: Path | None = None) -> FaceReview:
    """Return what is hidden in the published video, or in the evidence where none was published.

    Args:
        store: Where it lies.
        recording_id: Which recording.
        preview: Where to write a sheet; None for none.

    Raises:
        ArtifactMissing: Nothing was published or refused.
        UnauditedArtifact: A sheet is asked for and no video was published.
        BadConfig: The sheet cannot be written as asked.
        NothingToExport: A sheet is asked for and nothing is hidden.
    """
    key = BLURRED_RGB.key(recording_id)
    try:
        artifact = store.latest(key)
    except UnauditedArtifact:
        verdict = store.quarantined(key)
        if verdict is None or preview is not None:
            raise
        return _refused(store, verdict)
    faces = artifact.path("faces.parquet")
    sheet = None
    if preview is not None:
        shape = str(artifact.manifest.config.get("shape", "box"))
        sheet = preview, write_sheet(artifact.path("rgb.mp4"), faces, preview, shape=shape)
    finds = _open_finds(artifact.read_json("audit.json"))
    return FaceReview(artifact.uri(), "", "", summarise_tracks(pq.read_table(faces)), finds, (), sheet)


def _refused(store: Store, verdict: Quarantined) -> FaceReview:
    faces, audit = (store.evidence(verdict, name) for name in ("faces.parquet", "audit.json"))
    if faces is None or audit is None:
        raise ArtifactDamaged("boxes or verdict are missing", where=verdict.uri, remedy="run it again")
    try:
        table, record = pq.read_table(io.BytesIO(faces)), json.loads(audit)
    except (pa.ArrowInvalid, ValueError) as error:
        raise ArtifactDamaged(
            f"boxes or verdict cannot be read: {error}", where=verdict.uri, remedy="run it again"
        ) from error
    video = str(record.get("privacy", {}).get("video", ""))
    return FaceReview(
        place=verdict.uri,
        refusal=verdict.reason,
        video=video,
        tracks=summarise_tracks(table),
        finds=_open_finds(record),
        pictures=tuple(f"{verdict.uri}/{name}" for name in verdict.pictures),
        sheet=None,
    )


def _open_finds(audit: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    finds: Sequence[Mapping[str, Any]] = audit.get("finds", ())
    return tuple(find for find in finds if find["state"] != "blurred")
