"""Hands of few pictures per second and before the depth of a phone: what is usual there is no fault."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from episode_assets.qc import QualityConfig
from episode_assets.qc.hand_checks import hand_checks
from episode_assets_tests.qc.episodes import check_of, judged, make_episode


@pytest.fixture(scope="module")
def phone(tmp_path_factory):
    """Evidence of hands before depth as a phone measures it, coarse, ten times a second."""
    options = {"depth": "phone", "depth_width": 64, "width": 160, "height": 90, "fps": 10, "seconds": 6.0}
    base = tmp_path_factory.mktemp("phone")
    return make_episode(base / "episode", seed=5, with_face=False, with_mesh=False, **options).evidence()


def with_wrists(e, way_m):
    """Return evidence whose left wrist goes a way, (F, 3) metres, before a quiet camera."""
    left = replace(e.left, wrist_world=way_m, valid=np.ones(len(e), np.bool_))
    nothing = np.full_like(e.right.wrist_world, np.nan)
    right = replace(e.right, wrist_world=nothing, valid=np.zeros(len(e), np.bool_))
    return replace(e, left=left, right=right, gyro_rad_s=np.full(len(e), 0.02))


def at_rate(e, rate_hz):
    stamps = e.stamps_ns[0] + np.arange(len(e)) * (10**9 // rate_hz)
    return replace(e, stamps_ns=stamps, median_step_ns=10**9 // rate_hz)


def jitter(e):
    return next(check for check in hand_checks(e, QualityConfig()) if check.id == "hand_jitter")


@pytest.mark.parametrize("rate_hz", [10, 15, 30])
def test_a_hand_that_reaches_out_and_back_does_not_tremble_at_any_rate(evidence, rate_hz):
    seconds = np.arange(len(evidence)) / rate_hz
    way = np.outer(0.15 * np.sin(2 * np.pi * 0.5 * seconds), [1.0, 0, 0])

    check = jitter(at_rate(with_wrists(evidence, way), rate_hz))

    assert check.status == "pass"


@pytest.mark.parametrize("rate_hz", [10, 30])
def test_trembling_is_told_at_any_rate(evidence, rate_hz):
    noise = np.random.default_rng(3).normal(0, 0.004, (len(evidence), 3))

    check = jitter(at_rate(with_wrists(evidence, noise), rate_hz))

    assert check.status == "warn"
    assert check.value == pytest.approx(1000 * 0.004 * np.sqrt(6) * 1.54, rel=0.2)


def test_trembling_is_not_judged_at_five_pictures_per_second_or_from_a_handful(evidence):
    noise = np.random.default_rng(3).normal(0, 0.02, (len(evidence), 3))
    few = noise.copy()
    few[12:] = np.nan

    assert jitter(at_rate(with_wrists(evidence, noise), 5)).status == "not_applicable"
    assert jitter(with_wrists(evidence, few)).status == "not_applicable"


def test_hands_before_the_depth_of_a_phone_lie_where_they_were_measured(phone):
    offsets = np.abs(np.concatenate([phone.depth.left_hand_m, phone.depth.right_hand_m]))
    hands = int(phone.left.valid.sum() + phone.right.valid.sum())

    assert np.isfinite(offsets).sum() > hands / 3
    assert check_of(judged(phone), "hand_depth").status == "pass"


@pytest.mark.parametrize(("valid", "status", "verdict"), [(0.65, "warn", "review"), (0.85, "pass", "pass")])
def test_sparse_depth_that_costs_points_is_told(evidence, valid, status, verdict):
    ratio = np.full(len(evidence), valid)

    judgement = judged(replace(evidence, depth=replace(evidence.depth, valid_ratio=ratio)))

    check = check_of(judgement, "depth_valid")
    assert (check.status, judgement.verdict) == (status, verdict)
    assert (check.value < check.threshold) == (status == "warn")
    assert any(item.reason == "depth_valid" for item in judgement.deductions) == (status == "warn")
