"""What marks a hand goes with it: held distances are no metres, smoothing and uncertainty stay stated."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from episode_assets.bundle import EpisodeBundle
from episode_assets_tests.bundle.conftest import Maker
from episode_assets_tests.bundle.recordings import Hand, joints_of

HELD = Hand(3, kind=3, off_px=2.0, off_m=0.01)
MEASURED = Hand(2, valid_joints=15, smoothed=True, off_px=2.5, off_m=0.02)


def test_a_held_hand_has_the_pixels_of_its_picture_and_no_metres(make: Maker) -> None:
    with EpisodeBundle.open(make(hands=(MEASURED, HELD)).path) as bundle:
        right = bundle.right

    pixels, _ = joints_of(HELD)
    assert np.array_equal(right.joints_px[3], pixels)
    assert right.joint_valid[3].all()
    assert np.isnan(right.joints_cam[3]).all()
    assert np.isnan(right.joints_world[3]).all()
    assert right.space[[2, 3]].tolist() == [2, 1]
    assert np.isfinite(right.joints_cam[2, :15]).all()


def test_smoothing_and_uncertainty_stay_with_their_hand(make: Maker) -> None:
    unstated = Hand(5, smoothed=None)
    made = make(hands=(MEASURED, HELD, unstated))

    with EpisodeBundle.open(made.path) as bundle:
        right, left = bundle.right, bundle.left
    assert right.smoothed.nonzero()[0].tolist() == [2]
    assert right.uncertainty_px[2] == pytest.approx([2.5] * 15 + [np.nan] * 6, nan_ok=True)
    assert right.uncertainty_m[2] == pytest.approx([0.02] * 15 + [np.nan] * 6, nan_ok=True)
    assert right.uncertainty_px[3] == pytest.approx([2.0] * 21)
    assert np.isnan(right.uncertainty_m[[0, 3, 5]]).all()
    assert np.isnan(right.uncertainty_px[[0, 5]]).all()
    assert np.isnan(left.uncertainty_m).all()
    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        assert file["/hand-pose"].attrs["smoothing"] == "track"


def test_hands_that_nobody_smoothed_say_so(make: Maker) -> None:
    with h5py.File(make(hands=(Hand(2),)).path / "annotation.hdf5", "r") as file:
        assert file["/hand-pose"].attrs["smoothing"] == "none"
        assert not file["/hand-pose/right_smoothed"][()].any()


def test_a_bundle_from_before_there_were_marks_is_still_read(make: Maker) -> None:
    made = make(hands=(MEASURED,))
    with h5py.File(made.path / "annotation.hdf5", "a") as file:
        for side in ("left", "right"):
            for name in ("smoothed", "uncertainty_px", "uncertainty_m"):
                del file[f"/hand-pose/{side}_{name}"]

    with EpisodeBundle.open(made.path) as bundle:
        right = bundle.right

    assert np.isfinite(right.joints_cam[2, :15]).all()
    assert not right.smoothed.any()
    assert np.isnan(right.uncertainty_m).all()
