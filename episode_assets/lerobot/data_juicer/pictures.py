"""The pictures of a take: from a video file, from the bytes of one, or from image files; blurred, audited, encoded.

Who hands pictures in is not believed: they are searched and blurred anew, and nothing reaches a disk before it has
passed its audit. Only a video that this package has blurred and audited, inside its bundle, is taken as it is.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.colour_counts import colour_counts
from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.anonymization.picture_series import blur_series
from episode_assets.bundle import EpisodeBundle
from episode_assets.errors import ArtifactDamaged, ArtifactMissing, AuditFailed, BadVideo, UnauditedArtifact
from episode_assets.footage import passed_audit
from episode_assets.lerobot.contribution import refuse_unverified
from episode_assets.lerobot.data_juicer.takes import NoEpisode, require
from episode_assets.outcome import Json
from episode_assets.video import (
    Picture,
    VideoSpan,
    VideoWriter,
    decode_frames,
    join_segments,
    probe,
    retime_copy,
)
from episode_assets.video.rgb import picture_from_rgb


class PictureSource(Protocol):
    """Pictures by number."""

    @property
    def count(self) -> int:
        """How many there are."""

    @property
    def digest(self) -> str:
        """SHA-256 of what they are made from, 64 hex digits."""

    @property
    def privacy(self) -> dict[str, Json] | None:
        """Record of a passed audit; None where nobody has audited them."""

    def read(self, numbers: Sequence[int]) -> Iterator[Picture]:
        """Yield pictures by increasing numbers, all of one size.

        Raises:
            NoEpisode: One cannot be read, or is of another size.
        """


@dataclass(frozen=True)
class EncodedTakes:
    """The pictures of all takes of a sample in one mp4.

    Attributes:
        first: Position of each take's first picture in it; each is a key frame.
        counts: (takes, 3, 256) int64 colours of each take.
        privacy: Record of the audit.
    """

    first: tuple[int, ...]
    counts: NDArray[np.int64]
    privacy: dict[str, Json]


@dataclass(frozen=True)
class VideoPictures:
    """Pictures of a video file."""

    path: Path
    count: int
    digest: str
    privacy: dict[str, Json] | None

    def can_copy(self, numbers: NDArray[np.int64], keys: Sequence[int]) -> bool:
        """Return whether packets of these pictures, one after another, begin with key frames where they must."""
        wanted = numbers[list(keys)]
        is_run = int(numbers[-1]) - int(numbers[0]) + 1 == len(numbers)
        found = probe(self.path)
        return is_run and not found.has_b_frames and bool(np.isin(wanted, found.key_frames).all())

    def read(self, numbers: Sequence[int]) -> Iterator[Picture]:
        """Yield pictures by increasing numbers."""
        try:
            for _, picture in decode_frames(self.path, numbers):
                yield picture
        except BadVideo as error:
            raise NoEpisode("video_unreadable", error.what) from error


@dataclass(frozen=True)
class ImagePictures:
    """Pictures of image files."""

    paths: tuple[str, ...]
    privacy: None = None

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.paths)

    @property
    def digest(self) -> str:
        """SHA-256 of all files, one after another."""
        whole = hashlib.sha256()
        for path in self.paths:
            whole.update(hashlib.sha256(_content(path)).digest())
        return whole.hexdigest()

    def read(self, numbers: Sequence[int]) -> Iterator[Picture]:
        """Yield pictures by increasing numbers."""
        import cv2

        size: tuple[int, int] | None = None
        for number in numbers:
            content = np.frombuffer(_content(self.paths[number]), dtype=np.uint8)
            image = cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
            require(image is not None, "picture_unreadable", f"picture {number} cannot be read")
            picture = picture_from_rgb(cv2.cvtColor(np.asarray(image), cv2.COLOR_BGR2RGB))
            found = (picture.true_width, picture.true_height)
            size = size or found
            detail = f"picture {number} is {found[0]}x{found[1]}, the first one {size[0]}x{size[1]}"
            require(found == size, "size_differs", detail)
            yield picture


@contextmanager
def opened_video(source: str | bytes) -> Iterator[VideoPictures]:
    """Give the pictures of a video file, or of the bytes of one, which stay in memory.

    Raises:
        NoEpisode: It is no video.
    """
    with ExitStack() as stack:
        path = Path(source) if isinstance(source, str) else stack.enter_context(_in_memory(source))
        try:
            digest = hashlib.sha256(_content(str(path))).hexdigest()
            count = probe(path).frames
        except BadVideo as error:
            raise NoEpisode("video_unreadable", error.what) from error
        yield VideoPictures(path, count, digest, _audit_of(path) if isinstance(source, str) else None)


def encode_takes(
    source: PictureSource,
    takes: Sequence[NDArray[np.int64]],
    out: Path,
    scratch: Path,
    *,
    fps: int,
    config: FaceBlurConfig,
) -> EncodedTakes:
    """Write the pictures of all takes into one mp4, each picture once, however many takes show it.

    Args:
        source: The pictures.
        takes: Numbers of each take's pictures, increasing; takes of one sample may overlap.
        out: The mp4 to write.
        scratch: Private directory for encoded groups.
        fps: Pictures per second.
        config: How faces are found, blurred and audited, and how pictures are encoded.

    Raises:
        NoEpisode: A picture is not there, cannot be read, or keeps a face.
    """
    numbers = np.unique(np.concatenate(takes))
    beyond = f"picture {int(numbers[-1])} is asked for, there are {source.count}"
    require(bool(numbers[-1] < source.count), "frames_outside", beyond)
    spans = _Spans(
        tuple(np.searchsorted(numbers, [int(frames[0]) for frames in takes]).tolist()),
        tuple(np.searchsorted(numbers, [int(frames[-1]) for frames in takes]).tolist()),
        np.zeros((len(takes), 3, 256), dtype=np.int64),
    )
    privacy = source.privacy
    if privacy is None:
        privacy = _blur(source, numbers, spans, out, scratch, fps=fps, config=config)
    elif isinstance(source, VideoPictures) and source.can_copy(numbers, spans.first):
        _copy(source, numbers, spans, out, fps=fps)
    else:
        _encode(source, numbers, spans, out, fps=fps, config=config)
    count = probe(out).frames
    require(count == len(numbers), "pictures_lost", f"{count} of {len(numbers)} pictures were encoded")
    return EncodedTakes(spans.first, spans.counts, privacy)


@dataclass(frozen=True)
class _Spans:
    """Where takes lie in a video, and the colours of their pictures so far.

    Attributes:
        first: Position of each take's first picture.
        last: Position of each take's last picture.
        counts: (takes, 3, 256) int64, added to by `count`.
    """

    first: tuple[int, ...]
    last: tuple[int, ...]
    counts: NDArray[np.int64]

    def count(self, start: int, colours: NDArray[np.int32]) -> None:
        """Add the (n, 3, 256) colours of n pictures from position `start` on."""
        for take, (begins, ends) in enumerate(zip(self.first, self.last, strict=True)):
            self.counts[take] += colours[max(begins - start, 0) : max(ends + 1 - start, 0)].sum(axis=0)


def _copy(source: VideoPictures, numbers: NDArray[np.int64], spans: _Spans, out: Path, *, fps: int) -> None:
    retime_copy([VideoSpan(source.path, int(numbers[0]), int(numbers[-1]) + 1)], out, fps=fps)
    for place, picture in enumerate(source.read(numbers.tolist())):
        spans.count(place, colour_counts(picture)[None])


def _encode(
    source: PictureSource,
    numbers: NDArray[np.int64],
    spans: _Spans,
    out: Path,
    *,
    fps: int,
    config: FaceBlurConfig,
) -> None:
    with VideoWriter(out, config.encoder(), fps=fps) as writer:
        for place, picture in enumerate(source.read(numbers.tolist())):
            spans.count(place, colour_counts(picture)[None])
            writer.add(picture, force_key=place in spans.first)
        writer.finish()


def _blur(
    source: PictureSource,
    numbers: NDArray[np.int64],
    spans: _Spans,
    out: Path,
    scratch: Path,
    *,
    fps: int,
    config: FaceBlurConfig,
) -> dict[str, Json]:
    wanted = numbers.tolist()
    try:
        series = blur_series(
            lambda: source.read(wanted),
            scratch,
            size=_size(source, wanted[0]),
            fps=fps,
            key_at=spans.first,
            config=config,
            on_group=spans.count,
        )
    except AuditFailed as error:
        raise NoEpisode("audit", error.what) from error
    join_segments(series.segments, out)
    return series.privacy


def _size(source: PictureSource, number: int) -> tuple[int, int]:
    picture = next(source.read([number]))
    return picture.true_width, picture.true_height


def _audit_of(path: Path) -> dict[str, Json] | None:
    """Return the record of the audit where a path is the video of a bundle that nobody doubts."""
    try:
        with EpisodeBundle.open(path.parent) as bundle:
            if bundle.video_path.resolve() != path.resolve():
                return None
            refuse_unverified(bundle)
            return dict(passed_audit(bundle.privacy, where="episode_bundle"))
    except (ArtifactDamaged, ArtifactMissing, UnauditedArtifact):
        return None


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise NoEpisode("picture_unreadable", f"a file cannot be read: {error.strerror}") from error


@contextmanager
def _in_memory(content: bytes) -> Iterator[Path]:
    """Give a path to bytes that are on no disk."""
    create = getattr(os, "memfd_create", None)
    if create is None:
        raise NoEpisode(
            "video_unreadable", "bytes of a video are read on Linux only; give the path of a file"
        )
    handle: int = create("video")
    try:
        with os.fdopen(handle, "wb", closefd=False) as file:
            file.write(content)
        yield Path(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)
