"""Asks somebody to describe segments that nobody has named, and shows them blurred pictures only.

A captioner is plugged in by import path, as detectors and hand backends are. It sees pictures of the published,
blurred and audited video and nothing else of the recording: no file, no sound, no depth. What it was asked, by which
name and revision it goes, and how many pictures it saw is recorded with its answers.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import BadConfig
from episode_assets.lerobot.recipe_segments import SegmentChoice
from episode_assets.lerobot.segments import Segment
from episode_assets.lerobot.tasks import clean_text
from episode_assets.outcome import Json
from episode_assets.video import decode_frames, picture_to_rgb

RGB = NDArray[np.uint8]


class Captioner(Protocol):
    """Describes what hands do in a few pictures."""

    def caption(self, pictures: Sequence[RGB], *, seconds: Sequence[float]) -> str | Mapping[str, Any]:
        """Return what is done, in a few words.

        Args:
            pictures: (H, W, 3) uint8 each, blurred, in order of time, evenly spread over the segment.
            seconds: Time of each picture since the segment's first frame.

        Returns:
            A text, or a mapping with it under `action`. `N/A` leaves the segment out, an empty text leaves it to the
            recipe's fall-back.
        """


class CaptionerFactory(Protocol):
    """Makes a captioner that is named by import path; called once per recording, only if there is something to say."""

    def __call__(self, *, model: str, prompt: str) -> Captioner:
        """Return a captioner.

        Args:
            model: Name and revision, as the recipe says.
            prompt: What it is asked, as the recipe says.
        """


def with_captions(
    segments: Sequence[Segment],
    video: Path,
    *,
    seconds: NDArray[np.float64],
    choice: SegmentChoice,
    wanted: Sequence[bool],
) -> tuple[Segment, ...]:
    """Return the segments with words for those that have none.

    Memory holds the pictures of one segment.

    Args:
        segments: In order of time.
        video: The blurred video; the caller has checked its audit.
        seconds: (F,) times of its frames.
        choice: Who is asked what, and how many pictures are shown.
        wanted: Which segments are worth asking about.

    Raises:
        BadConfig: The captioner is not there, or what it returns is no caption.
    """
    asked = [need and not segment.task for segment, need in zip(segments, wanted, strict=True)]
    if not choice.captioner or not any(asked):
        return tuple(segments)
    captioner = _find(choice.captioner)(model=choice.captioner_model, prompt=choice.prompt)
    pictures = _pictures(
        video, [one for one, is_asked in zip(segments, asked, strict=True) if is_asked], choice
    )
    told = []
    for segment, is_asked in zip(segments, asked, strict=True):
        if is_asked:
            places, shown = next(pictures)
            times = (seconds[places] - seconds[segment.start]).tolist()
            segment = replace(segment, task=_words(captioner.caption(shown, seconds=times), choice))  # noqa: PLW2901
        told.append(segment)
    return tuple(told)


def caption_record(choice: SegmentChoice) -> dict[str, Json] | None:
    """Return who described segments, for the record; None where nobody is asked."""
    if not choice.captioner:
        return None
    return {
        "captioner": choice.captioner,
        "model": choice.captioner_model,
        "prompt": choice.prompt,
        "pictures": choice.caption_frames,
        "fed_with": "blurred pictures of the published video only",
    }


def shown_frames(segment: Segment, count: int) -> list[int]:
    """Return up to `count` frame positions, evenly spread from the first to the last frame of a segment."""
    last = segment.stop - 1
    return sorted({round(place) for place in np.linspace(segment.start, last, count).tolist()})


def _pictures(
    video: Path, segments: Sequence[Segment], choice: SegmentChoice
) -> Iterator[tuple[list[int], list[RGB]]]:
    for segment in segments:
        places = shown_frames(segment, choice.caption_frames)
        yield places, [picture_to_rgb(picture) for _, picture in decode_frames(video, places)]


def _words(answer: object, choice: SegmentChoice) -> str:
    text = answer.get("action") if isinstance(answer, Mapping) else answer
    if text is not None and not isinstance(text, str):
        raise BadConfig(
            f"the captioner returned {type(answer).__name__}, a text or a mapping with 'action' is expected",
            where=choice.captioner,
            remedy="return a text, 'N/A' for a segment without an action, or an empty text",
        )
    return clean_text(text)


def _find(path: str) -> CaptionerFactory:
    module, _, attribute = (part.strip() for part in path.partition(":"))
    try:
        factory: CaptionerFactory = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadConfig(
            f"no captioner is called {path!r} ({error})",
            where="segments.captioner",
            remedy="use an import path such as package.module:factory, or leave it empty",
        ) from error
    return factory
