"""Groups without a face are encoded while they are looked at: the same bytes, and only where none is in sight."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from episode_assets.anonymization import FaceBlurConfig
from episode_assets.anonymization.areas import Areas
from episode_assets.anonymization.early_groups import EarlyGroups
from episode_assets.anonymization.groups import group_spans
from episode_assets.video import Picture, SegmentEncoder

STEP_NS = 66_666_667
GAP_NS = 2 * STEP_NS


def pictures(count):
    shades = np.random.default_rng(3).integers(40, 200, (count, 1, 16), np.uint8)
    for shade in shades:
        picture = Picture.blank(64, 64)
        picture.y[:] = np.repeat(np.repeat(shade, 4, axis=1), 64, axis=0)
        yield picture


def early_groups(positions, stamps_ns, *, faces=(), start=0, **options):
    config = FaceBlurConfig(g=5, **options)
    early = EarlyGroups(start, gap_ns=GAP_NS, areas=Areas(), config=config)
    for position, stamp_ns, picture in zip(positions, stamps_ns, pictures(len(positions)), strict=True):
        early.see(position, stamp_ns, picture, shows_face=position in faces)
    early.end_group()
    return early


def made(early, groups):
    return [early.pop(np.array(group)) is not None for group in groups]


FIFTEEN = [range(5), range(5, 10), range(10, 15)]
STAMPS = [number * STEP_NS for number in range(15)]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=12), st.integers(0, 20))
def test_groups_are_cut_as_they_are_when_rendered(steps, start):
    positions = start + np.cumsum([0, *steps])
    stamps_ns = positions * STEP_NS
    spans = group_spans(positions, stamps_ns, start=start, length=5, gap_ns=GAP_NS)

    early = early_groups(positions.tolist(), stamps_ns.tolist(), start=start)

    assert early.has_all
    assert all(made(early, [positions[first:stop] for first, stop in spans]))


def test_an_early_group_has_the_bytes_of_one_made_later():
    early = early_groups(range(15), STAMPS)
    later = SegmentEncoder(FaceBlurConfig(g=5).encoder(), true_width=64, true_height=64)
    for position, picture in list(enumerate(pictures(15)))[5:10]:
        later.encode(picture, pts_us=STAMPS[position] // 1000)

    assert early.pop(np.arange(5, 10)) == later.finish()


def test_a_group_is_handed_over_once_and_only_for_these_very_pictures():
    early = early_groups(range(15), STAMPS)

    assert early.pop(np.array([0, 1, 2, 3])) is None
    assert early.pop(np.arange(5)) is not None
    assert early.pop(np.arange(5)) is None


@pytest.mark.parametrize("face", [5, 7, 9])
def test_a_group_that_shows_a_face_is_not_encoded_early(face):
    early = early_groups(range(15), STAMPS, faces={face}, hold_s=0.0)

    assert made(early, FIFTEEN) == [True, False, True]
    assert not early.has_all


def test_a_group_is_not_encoded_early_while_a_face_stays_covered():
    early = early_groups(range(15), STAMPS, faces={0}, hold_s=0.4)

    assert made(early, FIFTEEN) == [False, False, True]
