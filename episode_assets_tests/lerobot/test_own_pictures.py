from dataclasses import replace

import cv2
import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest

from episode_assets.lerobot import Recipe
from episode_assets.lerobot.fragment import FragmentReader
from episode_assets.lerobot.recipe_camera import CameraView
from episode_assets.lerobot.recipe_depth import DepthFeature
from episode_assets.video import (
    DepthCoder,
    DepthEncoderConfig,
    Picture,
    RGBEncoderConfig,
    decode_depth_codes,
    decode_frames,
    probe,
)
from episode_assets_tests.lerobot.archive import (
    HEIGHT,
    WIDTH,
    make_scene,
    read_number,
    stamps,
    write_artifacts,
)

LIKE_THE_BUNDLE = RGBEncoderConfig(g=5, preset="ultrafast")
RGB, DEPTH = "observation.images.ego", "observation.images.ego_depth"


def fragment_of(tmp_path, scene, recipe, *, prepare=lambda artifacts: None):
    artifacts = write_artifacts(tmp_path / "in", scene)
    prepare(artifacts)
    fragment, outcome = artifacts.fragment(tmp_path / "out", recipe=recipe)
    return FragmentReader.open(fragment, recipe=recipe), outcome


def pictures_of(reader, position, key=RGB):
    span = reader.video_span(position, key)
    return [
        picture for _, picture in decode_frames(span.path, range(span.first_frame, span.last_frame_exclusive))
    ]


def numbers_shown(reader, position):
    """Return the numbers painted into an episode's pictures, whatever their size."""
    return [read_number(resized(picture.y)) for picture in pictures_of(reader, position)]


def resized(luma):
    y = cv2.resize(luma, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return replace(Picture.blank(WIDTH, HEIGHT), y=y)


def messages(reader, position):
    return reader.row_table(position)["source.message_number"].to_pylist()


@pytest.mark.parametrize(
    ("view", "size"),
    [
        (CameraView(width=128), (128, 96)),
        (CameraView(width=96, height=96, fit="stretch"), (96, 96)),
        (CameraView(encode="always"), (64, 48)),
        (CameraView(encoder=replace(LIKE_THE_BUNDLE, vcodec="hevc")), (64, 48)),
    ],
)
def test_every_row_shows_its_own_frame_after_encoding(tmp_path, view, size):
    scene = make_scene(stamp_ns=stamps(50, holes=[27]), kept=((3, 49),))

    reader, outcome = fragment_of(tmp_path, scene, Recipe(camera_view=view))

    facts = reader.video_facts(RGB)
    assert (facts["width"], facts["height"]) == size and facts["encoder"] == view.encoder.to_mapping()
    assert facts["codec"] == ("hevc" if view.encoder.vcodec == "hevc" else "h264")
    assert len(reader.episodes) == 2 and f"{RGB}.mp4" in outcome.core
    assert reader.episodes[0]["frame_start"] == 3  # no key frame is waited for
    for position, episode in enumerate(reader.episodes):
        assert numbers_shown(reader, position) == messages(reader, position)
        assert episode["videos"][RGB]["from"] == "own"
    found = probe(reader.video_span(0, RGB).path)
    assert found.is_cfr and not found.has_b_frames
    assert [reader.video_span(i, RGB).first_frame in found.key_frames for i in (0, 1)] == [True, True]


def test_a_turned_camera_turns_picture_intrinsics_and_pose_alike(tmp_path):
    scene = make_scene(30)
    plain, _ = fragment_of(tmp_path / "plain", scene, Recipe())
    turned, _ = fragment_of(tmp_path / "turned", scene, Recipe(camera_view=CameraView(upright="cw90")))

    before, after = plain.row_table(0).to_pydict(), turned.row_table(0).to_pydict()
    picture = pictures_of(turned, 0)[7]
    assert (picture.width, picture.height) == (HEIGHT, WIDTH)
    assert read_number(resized(np.rot90(picture.y))) == messages(turned, 0)[7]
    fx, fy, cx, cy = np.array(before["camera.intrinsics"]).T
    expected = np.stack([fy, fx, HEIGHT - 1 - cy, cx], axis=1)
    np.testing.assert_allclose(after["camera.intrinsics"], expected, rtol=1e-6)
    np.testing.assert_allclose(after["observation.state"], before["observation.state"], atol=1e-5)
    assert not np.allclose(after["camera.pose"], before["camera.pose"], atol=0.1)


def test_auto_turns_a_recording_that_was_held_upside_down(tmp_path):
    scene = make_scene(30)
    scene.world_from_optical[:, :3, :2] *= -1

    reader, _ = fragment_of(tmp_path, scene, Recipe(camera_view=CameraView(upright="auto")))

    assert reader.document["picture"]["quarter_turns"] == 2
    assert read_number(resized(pictures_of(reader, 0)[0].y[::-1, ::-1])) == messages(reader, 0)[0]


def test_an_episode_between_key_frames_is_encoded_and_the_others_are_copied(tmp_path):
    view = CameraView(encoder=LIKE_THE_BUNDLE)
    scene = make_scene(60, kept=((2, 28), (35, 59)))

    reader, outcome = fragment_of(tmp_path, scene, Recipe(camera_view=view, unaligned_start="reencode"))

    places = [episode["videos"][RGB] for episode in reader.episodes]
    assert [place["from"] for place in places] == ["own", "bundle"]
    assert [episode["frame_start"] for episode in reader.episodes] == [2, 35]
    assert places[0]["parameters"] == places[1]["parameters"]
    assert numbers_shown(reader, 0) == messages(reader, 0) == list(range(2, 28 + 1))
    assert "not_a_key_frame" not in outcome.summary["frames_lost"]


def test_colours_are_counted_while_encoding(tmp_path):
    scene = make_scene(30)
    copied, _ = fragment_of(tmp_path / "copied", scene, Recipe())
    encoded, _ = fragment_of(tmp_path / "encoded", scene, Recipe(camera_view=CameraView(encode="always")))

    for name in ("min", "max", "mean", "std", "q01", "q50", "q99"):
        before, after = (reader.statistics()[0][f"stats/{RGB}/{name}"] for reader in (copied, encoded))
        np.testing.assert_allclose(after, before, atol=0.01)
    assert encoded.statistics()[0][f"stats/{RGB}/count"] == [29]


@pytest.mark.parametrize(("fps", "rate"), [(10, 15.0), (30, 15.0), (15, 14.2)])
def test_resampling_shows_the_nearest_frame_and_tells_what_it_held_and_dropped(tmp_path, fps, rate):
    scene = make_scene(stamp_ns=stamps(60, fps=rate, holes=[31]))

    reader, outcome = fragment_of(
        tmp_path, scene, Recipe(fps=fps, timing="resample", camera_view=CameraView(encoder=LIKE_THE_BUNDLE))
    )

    assert len(reader.episodes) == 2
    for position, episode in enumerate(reader.episodes):
        table = reader.row_table(position).to_pydict()
        shown = np.array(table["source.message_number"])
        start = scene.stamp_ns[episode["frame_start"]]
        grid = start + np.round(np.arange(len(shown)) * 1e9 / fps)
        distance = np.abs(scene.stamp_ns[None, :] - grid[:, None])
        np.testing.assert_array_equal(distance[np.arange(len(shown)), shown], distance.min(axis=1))
        assert numbers_shown(reader, position) == shown.tolist()
        assert table["source.timestamp_ns"] == scene.stamp_ns[shown].tolist()
        held = np.flatnonzero(np.diff(shown) == 0) + 1
        dropped = sorted(set(range(shown[0], shown[-1] + 1)) - set(shown.tolist()))
        report = episode["resampled"]
        assert (report["held"], report["dropped"]) == (len(held), len(dropped))
        assert report["held_rows"] == held[:100].tolist() and report["dropped_frames"] == dropped[:100]
        # A row that is shown once more is no measured step.
        assert [flags[0] for flags in table["valid.action"]][:-1] == (np.diff(shown) > 0).tolist()
    notes = {note.code: note.count for note in outcome.warnings}
    for code in ("held", "dropped"):
        assert notes.get(f"frames_{code}", 0) == sum(one["resampled"][code] for one in reader.episodes)
    assert {"frames_held", "frames_dropped"} & set(notes)


def test_resampling_copies_what_maps_one_to_one_onto_the_grid(tmp_path):
    recipe = Recipe(fps=15, timing="resample", camera_view=CameraView(encoder=LIKE_THE_BUNDLE))
    stamp_ns = stamps(90, holes=[31])
    stamp_ns[60:] += 50_000_000  # a frame comes late, and from there on all do

    reader, _ = fragment_of(tmp_path, make_scene(stamp_ns=stamp_ns), recipe)

    places = [episode["videos"][RGB] for episode in reader.episodes]
    assert [place["from"] for place in places] == ["bundle", "own"]
    assert places[1]["encoded_because"] == "frames are held or dropped"
    for position in range(2):
        assert numbers_shown(reader, position) == messages(reader, position)


def test_a_rate_that_does_not_fit_is_refused_without_resampling(tmp_path):
    _, outcome = fragment_of(tmp_path, make_scene(45), Recipe(fps=10))

    assert outcome.skipped[0].code == "resampling_needed"


DEPTH_SIZE = (34, 48)


def with_depth(count, *, missing=()):
    """Return what adds depth images to a bundle: a ramp over time and columns, with holes and values out of range."""
    height, width = DEPTH_SIZE
    images = np.zeros((count, height, width), np.uint16)
    images[:] = 300 + 37 * np.arange(count)[:, None, None] + 11 * np.arange(width)[None, None, :]
    images[:, 0, :5] = 0
    images[:, 1, :3] = 20_000
    images[list(missing)] = 0
    valid = np.ones(count, bool)
    valid[list(missing)] = False

    def prepare(artifacts):
        with h5py.File(artifacts.bundle / "annotation.hdf5", "a") as file:
            file["/depth/frames"] = images
            file["/depth/valid"] = valid
            file["/depth/timestamps_ns"] = np.where(valid, 1, -1)
            file["/depth/source_index"] = np.where(valid, np.arange(count), -1)

    return images, prepare


def test_depth_comes_back_within_the_stated_error_and_holes_stay_holes(tmp_path):
    images, prepare = with_depth(40, missing=[12])
    recipe = Recipe(depth=DepthFeature(enabled=True))

    reader, outcome = fragment_of(tmp_path, make_scene(40), recipe, prepare=prepare)

    span, coder = reader.video_span(0, DEPTH), DepthCoder(DepthEncoderConfig())
    codes = [
        codes
        for _, codes in decode_depth_codes(span.path, range(span.first_frame, span.last_frame_exclusive))
    ]
    assert len(codes) == reader.episodes[0]["length"] == 39
    for row, code in enumerate(codes):
        metres, measured = coder.depth(code, unit="m"), images[row] / 1000.0
        inside = (measured > 0) & (measured <= 10)
        np.testing.assert_array_equal(code == 0, ~inside)
        allowed = np.vectorize(coder.largest_error_m, otypes=[float])(measured[inside])
        assert (np.abs(metres[inside] - measured[inside]) <= allowed + 1e-6).all()
    account = reader.episodes[0]["depth"][DEPTH]
    assert account == {
        "rows_without_depth": 1,
        "pixels": 39 * 34 * 48,
        "holes": 38 * 8 + 34 * 48,
        "outside": 38 * 3,
    }
    assert {note.code: note.count for note in outcome.warnings}["depth_outside"] == 38 * 3
    facts = reader.video_facts(DEPTH)
    assert facts["is_depth_map"] and facts["pix_fmt"] == "gray12le" and facts["hole_code"] == 0
    assert facts["depth"] == {
        "depth_unit": "mm",
        "video.depth_min": 0.01,
        "video.depth_max": 10.0,
        "video.shift": 3.5,
        "video.use_log": True,
    }


def test_statistics_of_depth_leave_holes_out(tmp_path):
    images, prepare = with_depth(30, missing=[5, 6])
    recipe = Recipe(depth=DepthFeature(enabled=True))

    reader, _ = fragment_of(tmp_path, make_scene(30), recipe, prepare=prepare)

    measured = images[:29][(images[:29] > 0) & (images[:29] <= 10_000)]
    found = reader.statistics()[0]
    assert np.shape(found[f"stats/{DEPTH}/mean"]) == (1, 1, 1)
    for name, value in (("mean", measured.mean()), ("std", measured.std()), ("q50", np.median(measured))):
        np.testing.assert_allclose(found[f"stats/{DEPTH}/{name}"], value, atol=1.5)
    assert found[f"stats/{DEPTH}/count"] == [27]


def test_depth_out_of_range_may_be_clamped(tmp_path):
    _, prepare = with_depth(30)
    recipe = Recipe(depth=DepthFeature(enabled=True, outside="clamp"))

    reader, _ = fragment_of(tmp_path, make_scene(30), recipe, prepare=prepare)

    (_, codes), *_ = decode_depth_codes(reader.video_span(0, DEPTH).path, [4])
    assert (codes[1, :3] == 4095).all() and (codes[0, :5] == 0).all()


def test_without_depth_a_recipe_of_depth_leaves_the_recording_out(tmp_path):
    _, outcome = fragment_of(tmp_path, make_scene(30), Recipe(depth=DepthFeature(enabled=True)))

    assert outcome.skipped[0].code == "no_depth"


def test_depth_is_off_unless_asked_for(tmp_path):
    _, prepare = with_depth(30)

    reader, _ = fragment_of(tmp_path, make_scene(30), Recipe(), prepare=prepare)

    assert reader.video_keys == (RGB,) and "depth" not in reader.episodes[0]


def test_images_in_the_rows_hold_the_same_pictures(tmp_path):
    images, prepare = with_depth(150)
    recipe = Recipe(
        camera_view=CameraView(store="images", upright="180"), depth=DepthFeature(enabled=True, store="tiff")
    )

    reader, outcome = fragment_of(
        tmp_path, make_scene(stamp_ns=stamps(150, holes=[70]), kept=((3, 149),)), recipe, prepare=prepare
    )

    assert reader.video_keys == () and reader.image_keys == (RGB, DEPTH)
    assert reader.camera_facts(DEPTH)["is_depth_map"] and "images.parquet" in outcome.core
    for position in range(len(reader.episodes)):
        tables = list(reader.image_tables(position))
        assert max(table.num_rows for table in tables) <= 64
        rows = [row for table in tables for row in table.to_pylist()]
        shown = messages(reader, position)
        assert len(rows) == len(shown)
        for number, row in list(zip(shown, rows, strict=True))[::7]:
            picture = cv2.imdecode(np.frombuffer(row[RGB]["bytes"], np.uint8), cv2.IMREAD_GRAYSCALE)
            assert read_number(resized(picture[::-1, ::-1])) == number
            depth = cv2.imdecode(np.frombuffer(row[DEPTH]["bytes"], np.uint8), cv2.IMREAD_UNCHANGED)
            np.testing.assert_array_equal(depth[::-1, ::-1], images[number])


def test_equal_inputs_give_equal_own_bytes(tmp_path):
    _, prepare = with_depth(30)
    recipe = Recipe(camera_view=CameraView(width=32), depth=DepthFeature(enabled=True))
    made = [fragment_of(tmp_path / name, make_scene(30), recipe, prepare=prepare)[1] for name in ("a", "b")]

    assert len(made[0].core) == 5
    for name in made[0].core:
        assert (tmp_path / "a/out" / name).read_bytes() == (tmp_path / "b/out" / name).read_bytes()


def test_rows_are_the_same_whether_pictures_are_copied_or_encoded(tmp_path):
    scene = make_scene(30)
    fragment_of(tmp_path / "copied", scene, Recipe())
    fragment_of(tmp_path / "encoded", scene, Recipe(camera_view=CameraView(encode="always")))

    copied, encoded = (pq.read_table(tmp_path / name / "out/rows.parquet") for name in ("copied", "encoded"))
    assert copied.equals(encoded)


BACK = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
"""Optical axes after a quarter turn clockwise (x' = -y, y' = x) back to those before."""


@pytest.mark.parametrize("turns", range(4))
def test_a_point_of_a_depth_image_lies_at_the_same_place_however_the_picture_is_turned(tmp_path, turns):
    K, (v, u) = np.array([[40.0, 0, 22.0], [0, 41.0, 15.0], [0, 0, 1]]), (27, 40)
    _, prepare_images = with_depth(30)

    def prepare(artifacts):
        prepare_images(artifacts)
        with h5py.File(artifacts.bundle / "annotation.hdf5", "a") as file:
            file["/depth/K"] = np.tile(K, (30, 1, 1))
            file["/depth/frames"][3, v, u] = 9000

    view = CameraView(upright=("none", "cw90", "180", "ccw90")[turns], width=32)
    recipe = Recipe(depth=DepthFeature(enabled=True), camera_view=view)
    reader, _ = fragment_of(tmp_path, make_scene(30), recipe, prepare=prepare)

    table, span = reader.row_table(0).to_pydict(), reader.video_span(0, DEPTH)
    (_, codes), *_ = decode_depth_codes(span.path, [span.first_frame + 3])
    row, column = np.unravel_index(codes.argmax(), codes.shape)
    fx, fy, cx, cy = table["camera.depth_intrinsics"][3]
    point = np.array([(column - cx) / fx, (row - cy) / fy, 1.0])
    expected = [(u - 22.0) / 40.0, (v - 15.0) / 41.0, 1.0]
    np.testing.assert_allclose(np.linalg.matrix_power(BACK, turns) @ point, expected, atol=1e-5)
    assert all(table["valid.depth_intrinsics"])


def test_key_frames_of_encoded_pictures_are_at_most_two_seconds_apart(tmp_path):
    recipe = Recipe(fps=3, timing="resample", min_episode_s=0.0)

    reader, _ = fragment_of(tmp_path, make_scene(120), recipe)

    found = probe(reader.video_span(0, RGB).path)
    assert found.frames > 20 and np.diff(found.key_frames).max() <= 2 * 3
    assert reader.video_facts(RGB)["encoder"]["g"] == 6
