from dataclasses import replace

import h5py
import numpy as np

from episode_assets.lerobot import Recipe
from episode_assets.lerobot.arrow_values import column_values
from episode_assets.lerobot.cuts import Span
from episode_assets.lerobot.fragment import FragmentReader
from episode_assets.lerobot.imu_samples import imu_around
from episode_assets.lerobot.recipe_layout import Layout
from episode_assets.lerobot.rows import build_rows
from episode_assets.recording import ImuStream
from episode_assets_tests.lerobot.archive import make_scene, stamps, write_artifacts

FRAMES = stamps(60)
SAMPLES = FRAMES[0] + np.arange(400, dtype=np.int64) * 10_000_000


def stream(**changes):
    t = (SAMPLES - SAMPLES[0])[:, None] / 1e9
    fields = {
        "stamp_ns": SAMPLES,
        "linear_acceleration": t * [1.0, 2.0, 3.0],
        "angular_velocity": t * [-1.0, 0.5, 0.0],
        "orientation_xyzw": np.full((len(SAMPLES), 4), np.nan),
        "frame_id": "imu",
        "gravity": "included",
    }
    return ImuStream(**(fields | changes))


def test_a_row_holds_the_mean_of_the_samples_around_its_picture():
    felt = imu_around(stream(), FRAMES)

    half = int(np.median(np.diff(FRAMES))) // 2
    for frame in (0, 7, 30):
        near = (FRAMES[frame] - half <= SAMPLES) & (FRAMES[frame] + half > SAMPLES)
        assert near.sum() >= 3
        np.testing.assert_allclose(
            felt[frame, :3], stream().linear_acceleration[near].mean(axis=0), atol=1e-9
        )


def test_where_the_sensor_is_silent_or_says_no_number_there_is_none():
    rate = stream().angular_velocity.copy()
    rate[100] = np.nan
    silent = stream(angular_velocity=rate)

    felt = imu_around(silent, FRAMES)

    frame = int(np.argmin(np.abs(FRAMES - SAMPLES[100])))
    assert np.isnan(felt[frame, 3:]).all() and np.isfinite(felt[frame, :3]).all()
    assert np.isnan(imu_around(silent, FRAMES + 10**12)).all() and np.isnan(imu_around(None, FRAMES)).all()


def test_rows_mask_and_hold_what_was_not_felt():
    felt = imu_around(stream(), FRAMES)
    felt[12, 3:] = np.nan
    source = replace(make_scene(60).source(), imu=felt)

    rows = build_rows(source, Span(10, 40), recipe=Recipe(layout=Layout(extra=("imu",))), fps=15)

    assert rows["valid.imu"][2].tolist() == [True, False] and rows["valid.imu"].sum() == 59
    np.testing.assert_array_equal(rows["imu.angular_velocity"][2], rows["imu.angular_velocity"][1])


def test_a_contribution_reads_the_sensor_of_its_bundle(tmp_path):
    artifacts = write_artifacts(tmp_path / "in", make_scene(60))
    with h5py.File(artifacts.bundle / "annotation.hdf5", "r+") as file:
        group = file.create_group("imu", track_order=True)
        group.attrs["frame_id"], group.attrs["gravity"] = "imu", "included"
        group["timestamps_ns"], group["timestamps"] = SAMPLES, SAMPLES / 1e9
        for name in ("linear_acceleration", "angular_velocity", "orientation_xyzw"):
            group[name] = getattr(stream(), name)
    recipe = Recipe(layout=Layout(extra=("imu",)))

    fragment, _ = artifacts.fragment(tmp_path / "out", recipe=recipe)

    table = FragmentReader.open(fragment, recipe=recipe).row_table(0)
    assert column_values(table["valid.imu"]).all()
    np.testing.assert_allclose(
        column_values(table["imu.linear_acceleration"])[:, 1],
        2 * column_values(table["imu.linear_acceleration"])[:, 0],
        rtol=1e-5,
    )
