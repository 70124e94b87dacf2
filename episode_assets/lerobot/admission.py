"""Which contributions enter a dataset, in which order; everything is checked before the first byte is written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from episode_assets.errors import ArtifactDamaged, EpisodeAssetsError, UnauditedArtifact
from episode_assets.lerobot.camera_tracks import FROM_BUNDLE
from episode_assets.lerobot.fragment import Fragment, FragmentReader
from episode_assets.lerobot.ledger import continue_ledger
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.selecting import refused, takes_task
from episode_assets.video import VideoSpan, probe

_SHARED_FACTS = ("codec", "width", "height", "pix_fmt", "color_range", "color_matrix")
"""What all videos of one feature must have in common: readers look at the first file only."""


@dataclass(frozen=True)
class RecordingLeftOut:
    """A recording that a dataset does not hold, and why.

    Attributes:
        recording_id: The recording.
        code: A stable word for scripts, such as `damaged`.
        detail: The reason in words.
        keeps_place: Whether it keeps its place in the order: its repair then renumbers nothing. One that was taken
            out on purpose gives it up.
    """

    recording_id: str
    code: str
    detail: str
    keeps_place: bool = True


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
    chosen, unwanted = _select(fragments, recipe)
    opened, damaged = _open_all(chosen, recipe)
    left_out = [*unreadable, *unwanted, *damaged]
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
    waiting = [item.recording_id for item in left_out if item.keeps_place and item.recording_id in previous]
    return {**start_ns, **dict.fromkeys(waiting, 0)}


def _select(fragments: Sequence[Fragment], recipe: Recipe) -> tuple[list[Fragment], list[RecordingLeftOut]]:
    chosen, unwanted = [], []
    for fragment in fragments:
        reason = refused(recipe.selection, fragment.recording_id, fragment.labels)
        if reason is None:
            chosen.append(fragment)
        else:
            unwanted.append(RecordingLeftOut(fragment.recording_id, *reason, keeps_place=False))
    return chosen, unwanted


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
    if not any(takes_task(recipe.selection, str(episode["task"])) for episode in reader.episodes):
        return (
            "tasks",
            f"none of its episodes has a task that the recipe takes: {', '.join(recipe.selection.tasks)}",
        )
    if admitted and reader.fps != admitted[0].fps:
        detail = f"its rate is {reader.fps} Hz, that of {admitted[0].fragment.recording_id} is {admitted[0].fps} Hz"
        return "fps_differs", f"{detail}; a recipe with timing: resample and fps makes them alike"
    return _how_its_video_differs(reader, admitted[0]) if admitted else None


def _how_its_video_differs(reader: FragmentReader, first: FragmentReader) -> tuple[str, str] | None:
    if reader.video_keys != first.video_keys:
        mine, others = ", ".join(reader.video_keys), ", ".join(first.video_keys)
        return (
            "video_differs",
            f"its video features are {mine or 'none'}, those of the others are {others or 'none'}",
        )
    for key in reader.video_keys:
        facts, expected = reader.video_facts(key), first.video_facts(key)
        different = [name for name in _SHARED_FACTS if facts[name] != expected[name]]
        if different:
            values = ", ".join(f"{name} {facts[name]} instead of {expected[name]}" for name in different)
            return "video_differs", f"all videos of a feature are alike, and its {key} has {values}"
    return None


def unusable_videos(readers: Iterable[FragmentReader]) -> list[RecordingLeftOut]:
    """Look at the videos that contributions refer to, and return those whose frames cannot be copied.

    Every packet is looked at, so only readers whose frames are about to be copied should be handed in.
    """
    found = []
    for reader in readers:
        try:
            _check_videos(reader)
        except EpisodeAssetsError as error:
            found.append(RecordingLeftOut(reader.fragment.recording_id, "damaged", error.what))
    return found


def _check_videos(reader: FragmentReader) -> None:
    for key in reader.video_keys:
        spans = [
            (reader.video_span(i, key), episode["videos"][key]) for i, episode in enumerate(reader.episodes)
        ]
        for path in dict.fromkeys(span.path for span, _ in spans):
            mine = [(span, reference) for span, reference in spans if span.path == path]
            _check_video(reader, path, mine)


def _check_video(
    reader: FragmentReader, path: Path, spans: Sequence[tuple[VideoSpan, Mapping[str, Any]]]
) -> None:
    found = probe(path)
    from_bundle = spans[0][1]["from"] == FROM_BUNDLE
    stop = max(span.last_frame_exclusive for span, _ in spans)
    is_whole = found.frames == reader.document["frames"] if from_bundle else found.frames >= stop
    if {reference["parameters"] for _, reference in spans} != {found.extradata_sha256} or not is_whole:
        raise _not_its_video(reader, f"it holds {found.frames} frames, or has other parameter sets")
    starts = np.array([span.first_frame for span, _ in spans])
    if not np.isin(starts, found.key_frames).all() or found.has_b_frames:
        raise _not_its_video(reader, "an episode does not start on a key frame, or frames are reordered")


def _not_its_video(reader: FragmentReader, what: str) -> ArtifactDamaged:
    return ArtifactDamaged(
        f"a video is not the one that the episodes were cut from: {what}",
        where=f"the contribution of {reader.fragment.recording_id}",
        remedy="materialise lerobot_episode of this recording again",
    )
