"""Which contributions enter a dataset, in which order; everything is checked before the first byte is written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from episode_assets.errors import ArtifactDamaged, EpisodeAssetsError, UnauditedArtifact
from episode_assets.lerobot.fragment import Fragment, FragmentReader
from episode_assets.lerobot.ledger import continue_ledger
from episode_assets.lerobot.recipe import Recipe
from episode_assets.video import probe

_SHARED_FACTS = ("codec", "width", "height", "pix_fmt", "color_range", "color_matrix")
"""What all videos of one feature must have in common: readers look at the first file only."""


@dataclass(frozen=True)
class RecordingLeftOut:
    """A recording that a dataset does not hold, and why."""

    recording_id: str
    code: str
    detail: str


@dataclass(frozen=True)
class Admission:
    """The recordings of a dataset.

    Attributes:
        ledger: All recordings in their lasting order, those that are left out now included.
        readers: The contributions that enter, in the order of the ledger; each has at least one episode.
        left_out: The others, sorted by recording id.
    """

    ledger: tuple[str, ...]
    readers: tuple[FragmentReader, ...]
    left_out: tuple[RecordingLeftOut, ...]


def admit(
    fragments: Sequence[Fragment],
    *,
    recipe: Recipe,
    previous: Iterable[str],
    unreadable: Sequence[RecordingLeftOut] = (),
) -> Admission:
    """Read and check all contributions; `unreadable` are those that the caller could not even hand over.

    One that is damaged or does not fit the first one in order is left out with a reason; only missing privacy
    stops everything.

    Raises:
        UnauditedArtifact: A contribution carries no passed audit.
    """
    before = tuple(previous)
    opened, damaged = _open_all(fragments, recipe)
    left_out = [*unreadable, *damaged]
    starts = {key: int(reader.document["first_stamp_ns"]) for key, reader in opened.items()}
    ledger = continue_ledger(before, with_places_kept(starts, left_out, before))
    admitted: list[FragmentReader] = []
    for recording in ledger:
        if recording not in opened:
            continue
        reason = _why_not(opened[recording], admitted, recipe)
        if reason is None:
            admitted.append(opened[recording])
        else:
            left_out.append(RecordingLeftOut(recording, *reason))
    return Admission(ledger, tuple(admitted), tuple(sorted(left_out, key=lambda item: item.recording_id)))


def with_places_kept(
    start_ns: Mapping[str, int], left_out: Iterable[RecordingLeftOut], previous: Collection[str]
) -> dict[str, int]:
    """Return the recordings that have a place in the ledger.

    A damaged one keeps the place it had, so that its repair renumbers nothing.
    """
    return {**start_ns, **{item.recording_id: 0 for item in left_out if item.recording_id in previous}}


def _open_all(
    fragments: Sequence[Fragment], recipe: Recipe
) -> tuple[dict[str, FragmentReader], list[RecordingLeftOut]]:
    opened: dict[str, FragmentReader] = {}
    left_out: list[RecordingLeftOut] = []
    for fragment in fragments:
        try:
            opened[fragment.recording_id] = FragmentReader.open(fragment, recipe=recipe)
        except UnauditedArtifact:
            raise
        except EpisodeAssetsError as error:
            left_out.append(RecordingLeftOut(fragment.recording_id, "damaged", error.what))
    return opened, left_out


def _why_not(
    reader: FragmentReader, admitted: Sequence[FragmentReader], recipe: Recipe
) -> tuple[str, str] | None:
    if not reader.episodes:
        reason = reader.document["left_out"]
        return str(reason["code"]), str(reason["detail"])
    if admitted and reader.fps != admitted[0].fps:
        detail = f"its rate is {reader.fps} Hz, that of {admitted[0].fragment.recording_id} is {admitted[0].fps} Hz"
        return "fps_differs", f"{detail}; resampling is not available yet, give it a recipe of its own"
    if admitted:
        mine, first = (_facts(one, recipe) for one in (reader, admitted[0]))
        different = [name for name in _SHARED_FACTS if mine[name] != first[name]]
        if different:
            values = ", ".join(f"{name} {mine[name]} instead of {first[name]}" for name in different)
            return "video_differs", f"all videos of a dataset are alike, and this one has {values}"
    try:
        _check_video(reader, recipe)
    except EpisodeAssetsError as error:
        return "damaged", error.what
    return None


def _facts(reader: FragmentReader, recipe: Recipe) -> Mapping[str, Any]:
    facts: Mapping[str, Any] = reader.document["video"][recipe.video_key]
    return facts


def _check_video(reader: FragmentReader, recipe: Recipe) -> None:
    found = probe(reader.fragment.bundle_video)
    facts = _facts(reader, recipe)
    if found.extradata_sha256 != facts["parameters"] or found.frames != reader.document["frames"]:
        raise _not_its_video(reader, f"{found.frames} frames, {reader.document['frames']} expected")
    starts = np.array([episode["frame_start"] for episode in reader.episodes])
    if not np.isin(starts, found.key_frames).all() or found.has_b_frames:
        raise _not_its_video(reader, "an episode does not start on a key frame, or frames are reordered")


def _not_its_video(reader: FragmentReader, what: str) -> ArtifactDamaged:
    return ArtifactDamaged(
        f"the bundle's video is not the one that the episodes were cut from: {what}",
        where=f"the contribution of {reader.fragment.recording_id}",
        remedy="materialise lerobot_episode of this recording again",
    )
