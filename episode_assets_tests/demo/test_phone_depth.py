"""Depth as a phone gives it: near the truth on surfaces, wrong along edges, with holes, and never twice the same."""

from __future__ import annotations

import numpy as np
import pytest

from episode_assets.demo import DemoConfig, write_demo
from episode_assets.errors import BadConfig
from episode_assets_tests.demo.independent_reader import read_everything

OPTIONS = {"seconds": 0.6, "width": 320, "height": 180, "motion": 0.0, "with_face": False}


def depths(folder, **options):
    write_demo(folder / "demo.mcap", config=DemoConfig(**OPTIONS, **options))
    written = read_everything(folder / "demo.mcap")
    return np.stack([written.depth_m(number) for number in range(len(written.topics["/camera/depth"]))])


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return depths(tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="module")
def phone(tmp_path_factory):
    return depths(tmp_path_factory.mktemp("phone"), depth="phone")


@pytest.fixture(scope="module")
def near_edges(clean):
    """Places that have another surface within 3 pixels."""
    windows = np.lib.stride_tricks.sliding_window_view(clean, (7, 7), axis=(1, 2))
    steps = windows.max(axis=(3, 4)) - windows.min(axis=(3, 4)) > 0.15 * clean[:, 3:-3, 3:-3]
    return np.pad(steps, ((0, 0), (3, 3), (3, 3)), constant_values=True)


def errors(clean, phone, where):
    return (phone - clean)[where & (phone > 0)]


def test_surfaces_keep_their_depth_within_the_noise(clean, phone, near_edges):
    near = errors(clean, phone, ~near_edges & (clean < 1.0))
    far = errors(clean, phone, ~near_edges & (clean > 1.5))

    assert abs(np.median(near)) < 0.002
    assert 0.001 < np.std(near) < 0.015
    assert np.std(far) > 1.5 * np.std(near)


def test_depth_bleeds_over_edges_by_some_pixels(clean, phone, near_edges):
    wrong = np.abs(errors(clean, phone, near_edges)) > 0.05

    assert 0.1 < wrong.mean() < 0.8


def test_values_between_hand_and_table_appear(clean, phone):
    hand = clean[0].min() + 0.12
    between = (phone[0] > hand) & (phone[0] < hand + 0.04)

    assert between.sum() > 2 * np.sum((clean[0] > hand) & (clean[0] < hand + 0.04))


def test_dropouts_gather_at_edges(clean, phone, near_edges):
    assert not np.any(clean == 0)
    assert 0.005 < np.mean(phone == 0) < 0.2
    assert np.mean(phone[near_edges] == 0) > 3 * np.mean(phone[~near_edges] == 0)


def test_a_still_surface_jitters_from_picture_to_picture(clean, phone):
    still = (np.ptp(clean, axis=0) == 0) & np.all(phone > 0, axis=0)

    assert np.all(np.ptp(phone, axis=0)[still][:500] >= 0.001)


def test_equal_seeds_give_equal_depth_and_others_do_not(phone, tmp_path):
    again = depths(tmp_path, depth="phone")
    other = depths(tmp_path, depth="phone", seed=8)

    assert np.array_equal(again, phone)
    assert not np.array_equal(other == 0, phone == 0)


def test_pictures_and_truth_do_not_depend_on_the_kind_of_depth(tmp_path):
    truths, pictures = [], []
    for kind in ("clean", "phone"):
        truths.append(write_demo(tmp_path / "demo.mcap", config=DemoConfig(**OPTIONS, depth=kind)))
        pictures.append(read_everything(tmp_path / "demo.mcap").picture(2))

    assert np.array_equal(*pictures)
    assert np.array_equal(truths[0].hand_joints_cam, truths[1].hand_joints_cam, equal_nan=True)


def test_an_unknown_kind_of_depth_is_named():
    with pytest.raises(BadConfig, match="clean"):
        DemoConfig(depth="lidar")
