"""What the report of an hour keeps of each picture and sample, and what it takes beside that for a moment."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass

import numpy as np
import pytest

from episode_assets.bundle import EpisodeBundle, HandArrays
from episode_assets.progress import silent
from episode_assets.qc import QualityConfig
from episode_assets.qc.blocks import lengths
from episode_assets.qc.gathering import gather
from episode_assets.qc.hand_figures import Scene, measure_hand
from episode_assets.qc.metrics import metric_blocks
from episode_assets.qc.offsets import course_of_imu, turns_of
from episode_assets.recording import ImuStream
from episode_assets_tests.qc.episodes import judged

SAMPLES = 200_000

MOST_PER_PICTURE = 1_100
"""Bytes. Figures of both hands are 306, poses and intrinsics 264, numbers of the pixels 128, of depth 96; seven samples
of the IMU would be 373 more, the joints of both hands 1,344."""


def arrays_in(item: object) -> Iterator[np.ndarray]:
    """Yield the arrays that hold the memory of all arrays in a dataclass."""
    if isinstance(item, np.ndarray):
        while isinstance(item.base, np.ndarray):
            item = item.base
        yield item
    elif is_dataclass(item):
        for column in fields(item):
            yield from arrays_in(getattr(item, column.name))


def peak_bytes(compute: Callable[[], object]) -> int:
    """Return the most memory that a computation takes, its result included."""
    tracemalloc.start()
    try:
        compute()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_little_is_kept_of_a_picture(clean):
    with EpisodeBundle.open(clean.base / "bundle") as bundle:
        evidence = gather(bundle, clean.blurred, clean.hands, clean.view, progress=silent)
    frames = len(evidence)
    held = {id(array): array.nbytes for array in arrays_in(evidence)}

    assert sum(held.values()) / frames < MOST_PER_PICTURE


def test_nothing_is_kept_of_a_hand_that_never_comes(clean):
    frames = 5_000
    nothing = HandArrays.missing(frames)
    with EpisodeBundle.open(clean.base / "bundle") as bundle:
        scene = Scene(None, bundle.picture_size, bundle.face_boxes)

    figures = measure_hand([(0, nothing)], frames, scene, is_right=True)

    assert figures.tip_m.shape == (frames, 5)
    assert not figures.valid.any()
    assert sum(array.nbytes for array in arrays_in(figures)) < 1_000


def test_samples_are_judged_alike_in_memory_and_on_disk(clean):
    with EpisodeBundle.open(clean.base / "bundle") as bundle:
        on_disk = gather(bundle, clean.blurred, clean.hands, clean.view, progress=silent)
    in_memory = clean.evidence()

    assert not isinstance(on_disk.imu, ImuStream)
    assert isinstance(in_memory.imu, ImuStream)
    assert judged(on_disk).checks == judged(in_memory).checks
    assert metric_blocks(on_disk, QualityConfig())["imu"] == metric_blocks(in_memory, QualityConfig())["imu"]


def test_the_course_of_a_gyro_is_summed_in_place():
    rates = np.random.default_rng(0).normal(size=(SAMPLES, 3))
    stamps = np.arange(SAMPLES, dtype=np.int64) * 10_000_000
    imu = ImuStream(stamps, rates, rates, np.empty((0, 4)), "imu", "removed")

    assert peak_bytes(lambda: course_of_imu(imu)) < 2 * rates.nbytes


@pytest.mark.parametrize(("compute", "columns"), [(turns_of, 4), (lambda vectors: lengths(vectors.T), 3)])
def test_turns_and_lengths_are_taken_in_blocks(compute, columns):
    vectors = np.random.default_rng(0).normal(size=(SAMPLES, columns))

    assert peak_bytes(lambda: compute(vectors)) < 1.2 * vectors.nbytes
