"""Changing the store's document of redactions for a person at a command line, and saying what follows from it.

What an entry may say belongs to `anonymization`, where documents lie to `storage`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow.parquet as pq

from episode_assets.anonymization import DrawnArea, area_of, document_of, read_redactions
from episode_assets.errors import BadConfig
from episode_assets.pipeline.settings import Settings
from episode_assets.pipeline.steps import BLURRED_RGB, STEPS, fragment_step
from episode_assets.storage import ArtifactKey, Store


@dataclass(frozen=True)
class ListedArea:
    """One entry of a recording's documents.

    Attributes:
        number: Its number over all documents, from 1, as notes of a run name it; the store's come first.
        area: What it says.
        where: Address of its document.
    """

    number: int
    area: DrawnArea
    where: str


def entry_of(*, box: str | None, polygon: str | None, picture: bool, relative: bool) -> dict[str, object]:
    """Return the part of an entry that says where, from words of a command line.

    Raises:
        BadConfig: A word is no number.
    """
    entry: dict[str, object] = {}
    if box is not None:
        entry["box"] = _numbers(box, ",")
    if polygon is not None:
        entry["polygon"] = [_numbers(corner, ",") for corner in polygon.split()]
    if picture:
        entry["picture"] = "whole"
    return entry | ({"relative": True} if relative else {})


def span_of(
    store: Store, recording_id: str, times: Mapping[str, str | None], *, frames: str | None, whole: bool
) -> dict[str, object]:
    """Return the part of an entry that says when, from words of a command line.

    Args:
        store: Where the published video lies, for `frames`.
        recording_id: Which recording.
        times: `A:B` by unit; None where it is not given.
        frames: `A:B` in frames of the published video.
        whole: Whether the whole recording is meant.

    Raises:
        ArtifactMissing: Frames are given, and no video has been published.
        BadConfig: A word is no number, or there are no such frames.
    """
    entry: dict[str, object] = {unit: _numbers(text, ":") for unit, text in times.items() if text is not None}
    if frames is not None and (entry or whole):
        raise BadConfig("frames and another time are given", remedy="give one of them")
    if frames is not None:
        entry["stamps_ns"] = _stamps_of_frames(store, recording_id, _numbers(frames, ":"))
    return entry | ({"recording": "whole"} if whole else {})


def list_redactions(store: Store, recording_id: str) -> tuple[ListedArea, ...]:
    """Return every entry that counts for a recording.

    Raises:
        ArtifactMissing: The store knows no such recording.
        BadConfig: A document is broken.
    """
    texts = store.recordings.redactions(store.recordings.get(recording_id))
    found = [
        (area, text.where) for text in texts for area in read_redactions(text.content, where=text.where).areas
    ]
    return tuple(ListedArea(number, area, where) for number, (area, where) in enumerate(found, 1))


def add_redaction(store: Store, recording_id: str, entry: Mapping[str, object]) -> str:
    """Add an entry to the store's document, in one step, and return its address.

    Raises:
        ArtifactMissing: The store knows no such recording.
        BadConfig: The entry, or the document as it is, is not understood; nothing was changed.
    """
    area = area_of(entry, where="the command line")

    def change(text: bytes) -> bytes:
        said = read_redactions(text, where="the store's document")
        return document_of(replace(said, areas=(*said.areas, area)))

    return store.recordings.change_redactions(recording_id, change)


def remove_redaction(store: Store, recording_id: str, number: int) -> str:
    """Take an entry out of the store's document, in one step, and return its address.

    Raises:
        ArtifactMissing: The store knows no such recording.
        BadConfig: The store's document has no such entry; those of other documents are changed by hand.
    """

    def change(text: bytes) -> bytes:
        said = read_redactions(text, where="the store's document")
        areas = said.areas
        if not 1 <= number <= len(areas):
            raise BadConfig(
                f"the store's document has {len(areas)} entries, and none with number {number}",
                remedy="see `episode-assets redact ID`; entries of other documents are removed by hand",
            )
        return document_of(replace(said, areas=(*areas[: number - 1], *areas[number:])))

    return store.recordings.change_redactions(recording_id, change)


def made_again(store: Store, recording_id: str, settings: Settings) -> tuple[str, ...]:
    """Return the published assets that the next run makes again because of other redactions, upstream first."""
    stale = [BLURRED_RGB.asset]
    for step in (*STEPS, *(fragment_step(name) for name in settings.recipes)):
        if set(step.inputs) & set(stale):
            stale.append(step.asset)
    keys = [ArtifactKey(asset, recording_id) for asset in stale]
    keys += [ArtifactKey(f"lerobot_dataset/{name}") for name in settings.recipes]
    return tuple(key.asset for key in keys if store.current(key) is not None)


def _stamps_of_frames(store: Store, recording_id: str, frames: Sequence[float]) -> list[int]:
    # By stamp, since messages may have been written in another order than the frames are shown in.
    path = store.latest(BLURRED_RGB.key(recording_id)).path("frames.parquet")
    stamps = pq.read_table(path, columns=["stamp_ns"])["stamp_ns"].to_pylist()
    are_there = all(isinstance(frame, int) and 0 <= frame < len(stamps) for frame in frames)
    if len(frames) != 2 or not are_there:
        raise BadConfig(
            f"frames {':'.join(map(str, frames))} are not in the published video",
            remedy=f"give A:B within 0:{len(stamps) - 1}",
        )
    return [stamps[int(frame)] for frame in frames]


def _numbers(text: str, separator: str) -> list[float]:
    try:
        return [
            int(word) if word.strip().lstrip("+-").isdigit() else float(word)
            for word in text.split(separator)
        ]
    except ValueError as error:
        raise BadConfig(f"{text!r} is not made of numbers and {separator!r}") from error
