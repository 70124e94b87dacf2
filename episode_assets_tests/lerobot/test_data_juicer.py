"""Data-Juicer's exporter with its inputs and results; each defect that was measured there is a requirement here.

The numbers of the requirements (R1 to R19) are those of the table in docs/data-juicer.md.
"""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from episode_assets.errors import ArtifactDamaged, BadConfig, NothingToExport
from episode_assets.lerobot import verify_dataset
from episode_assets.lerobot.data_juicer import ExportToLeRobotMapper
from episode_assets.lerobot.one_hand import one_hand_actions
from episode_assets.video import RGBEncoderConfig, VideoWriter, decode_frames, picture_to_rgb, probe
from episode_assets_tests.lerobot.archive import make_scene, paint, read_number, write_artifacts
from episode_assets_tests.lerobot.groot_reader import GrootDataset
from episode_assets_tests.scripting.conftest import MARK_BLUR
from episode_assets_tests.scripting.stand_ins import MAGENTA

META = "__dj__meta__"
NO_FACES = "benchmarks.no_faces:make"
BLUR = replace(
    MARK_BLUR, detector=NO_FACES, audit_detector=NO_FACES, preset="ultrafast", g=10, min_face_px=12
)


def hand(count=20, *, frames=None, side="right", seed=0, joints=False):
    """Return what their operators say of one hand that moves and turns."""
    t = np.arange(count) if frames is None else np.asarray(frames)
    states = np.zeros((len(t), 8))
    states[:, :3] = 0.01 * t[:, None] * [1, -0.5, 0.2] + seed
    states[:, 3:6] = np.stack([0.1 * t, 0.3 * np.sin(0.2 * t), 3.0 + 0.05 * t], axis=1)
    states[:, 3:6] = (states[:, 3:6] + np.pi) % (2 * np.pi) - np.pi
    states[:, 7] = np.cos(0.3 * t)
    found = {
        "states": states.tolist(),
        "actions": one_hand_actions(states.astype(np.float32)).tolist(),
        "valid_frame_ids": t.tolist(),
        "hand_type": side,
    }
    if joints:
        found["joints_world"] = np.full((len(t), 21, 3), 0.5 + seed).tolist()
    return found


@pytest.fixture(scope="module")
def blurred(tmp_path_factory):
    """Return audited videos of bundles, whose pictures carry their numbers."""
    root = tmp_path_factory.mktemp("bundles")

    def video(first=0):
        directory = root / str(first)
        if not directory.exists():
            write_artifacts(directory, make_scene(20, first_message=first))
        return str(directory / "bundle/rgb.mp4")

    return video


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Return videos whose pictures carry their numbers."""
    root = tmp_path_factory.mktemp("clips")

    def clip(count=20, first=0, name=None):
        path = root / (name or f"{first}-{count}.mp4")
        if not path.exists():
            config = RGBEncoderConfig(vcodec="h264", g=7, crf=12, preset="ultrafast")
            with VideoWriter(path, config, fps=30) as writer:
                for number in range(first, first + count):
                    writer.add(paint(number))
                writer.finish()
        return str(path)

    return clip


def sample_of(video, found, *, text="pour tea"):
    return {"text": text, "videos": [video], META: {"hand_action_tags": [found]}}


def mapper(root, **options):
    return ExportToLeRobotMapper(str(root), **({"face_blur": BLUR} | options))


def exported(root, *samples, **options):
    """Process samples and pack them; returns the metas."""
    made = mapper(root, **options)
    metas = [made.process_single(sample)[META] for sample in samples]
    made.finalize_dataset(str(root), fps=made.fps, robot_type="hand", chunks_size=made.chunks_size)
    return metas


def rows(root, number=0):
    return pq.read_table(root / f"data/chunk-000/episode_{number:06d}.parquet")


def column(table, key):
    return np.array(table[key].to_pylist())


def numbers(root, number=0):
    path = root / f"videos/chunk-000/observation.images.image/episode_{number:06d}.mp4"
    return [read_number(picture) for _, picture in decode_frames(path)]


def document(root, name):
    return json.loads((root / "meta" / name).read_text())


def lines(root, name):
    return [json.loads(line) for line in (root / "meta" / name).read_text().splitlines()]


def tree(root):
    """Return the digest of every file of the current version."""
    version = (root / "current").resolve()
    return {
        path.relative_to(version).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(version.rglob("*"))
        if path.is_file()
    }


def test_dense_input_comes_out_bit_for_bit(tmp_path, blurred):
    """The 8 and 7 numbers, one row per state, one episode per video, and the documents of format v2.0."""
    given = hand()

    (meta,) = exported(tmp_path, sample_of(blurred(), given))

    table = rows(tmp_path)
    state, action = column(table, "observation.state"), column(table, "action")
    assert (state.astype(np.float32) == np.array(given["states"], np.float32)).all()
    assert (action.astype(np.float32) == np.array(given["actions"], np.float32)).all()
    assert not action[-1, :6].any() and action[-1, 6] == state[-1, 7]
    (entry,) = meta["lerobot_export"]
    assert set(entry) == {"uuid", "parquet_path", "video_path", "num_frames"} and entry["num_frames"] == 20
    assert pq.read_table(entry["parquet_path"]).num_rows == probe(tmp_path / entry["video_path"]).frames == 20
    info = document(tmp_path, "info.json")
    assert (info["codebase_version"], info["fps"], info["robot_type"]) == ("v2.0", 10, "hand")
    assert lines(tmp_path, "tasks.jsonl") == [{"task_index": 0, "task": "pour tea"}]
    modality = document(tmp_path, "modality.json")
    assert [modality["state"][name]["start"] for name in ("x", "pad", "gripper")] == [0, 6, 7]
    assert modality["video"] == {"primary_image": {"original_key": "observation.images.image"}}
    assert modality["annotation"] == {"human.action.task_description": {"original_key": "task_index"}}


def test_the_result_passes_verification(tmp_path, blurred):
    exported(
        tmp_path, sample_of(blurred(), hand()), sample_of(blurred(first=100), hand(frames=[0, 1, 2, 12, 13]))
    )

    assert [str(problem) for problem in verify_dataset(tmp_path)] == []


def test_a_reader_of_groot_takes_it_as_it_is(tmp_path, blurred):
    """Pictures, states and texts that the reader of GR00T N1 sees, by a reader that imports nothing of ours."""
    given = hand()
    exported(tmp_path, sample_of(blurred(first=100), given))

    seen = GrootDataset(tmp_path)

    states = np.array(given["states"], np.float32)
    for place, name in enumerate(("x", "y", "z", "roll", "pitch", "yaw", "pad", "gripper")):
        assert (seen.values("state", name, 0, range(20))[:, 0].astype(np.float32) == states[:, place]).all()
        assert len(seen.statistics("state", name)["q99"]) == 1
    assert not seen.values("action", "x", 0, [25]).any()
    assert seen.values("action", "gripper", 0, [25])[0, 0] == np.float32(states[-1, 7])
    assert seen.frames("primary_image", 0, [7]).shape == (1, 48, 64, 3)
    assert seen.annotation("human.action.task_description", 0, 3) == "pour tea"


def test_r1_index_is_contiguous_and_frame_index_dense(tmp_path, blurred):
    exported(
        tmp_path,
        sample_of(blurred(), hand(frames=[3, 4, 5, 9, 10])),
        sample_of(blurred(first=100), hand(count=6)),
    )

    tables = [rows(tmp_path, number) for number in (0, 1)]
    assert np.concatenate([column(table, "index") for table in tables]).tolist() == list(
        range(sum(len(table) for table in tables))
    )
    for table in tables:
        assert column(table, "frame_index").tolist() == list(range(len(table)))
    assert sorted(column(table, "source.frame_index").tolist() for table in tables) == [
        list(range(6)),
        list(range(3, 11)),
    ]


@pytest.mark.parametrize("frames", [range(20), [3, 4, 5, 9, 10], range(0, 20, 3), [2, 19]])
def test_r2_row_picture_and_time_belong_together(tmp_path, blurred, frames):
    exported(tmp_path, sample_of(blurred(), hand(frames=list(frames))))

    table = rows(tmp_path)
    assert numbers(tmp_path) == column(table, "source.frame_index").tolist()
    np.testing.assert_array_equal(
        column(table, "timestamp").astype(np.float32), (np.arange(len(table)) / 10).astype(np.float32)
    )
    video = probe(tmp_path / "videos/chunk-000/observation.images.image/episode_000000.mp4")
    np.testing.assert_allclose(video.pts * float(video.time_base), np.arange(len(table)) / 10, atol=1e-9)


def test_r3_both_hands_stand_in_one_row(tmp_path, blurred):
    left, right = hand(side="left", seed=1, joints=True), hand(frames=range(5, 15), joints=True)

    (meta,) = exported(tmp_path, sample_of(blurred(), {"right": right, "left": left}))

    assert len(meta["lerobot_export"]) == 1
    table = rows(tmp_path)
    assert column(table, "valid.left").all()
    assert np.flatnonzero(column(table, "valid.right")).tolist() == list(range(5, 15))
    both = column(table, "hand.states").astype(np.float32)
    assert (both[:, :8] == np.array(left["states"], np.float32)).all()
    assert (both[5:15, 8:] == np.array(right["states"], np.float32)).all()
    assert (column(table, "observation.state") == both[:, 8:]).all()
    joints = column(table, "hand.joints").reshape(20, 2, 63)
    assert (joints[:, 0] == 1.5).all() and (joints[:, 1] == 0.5).all()
    assert column(table, "valid.joints")[0].tolist() == [True, False]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"actions": hand()["actions"][:-1]}, "lengths_differ", "20 states, 19 actions"),
        ({"valid_frame_ids": list(range(19))}, "lengths_differ", "19 frame numbers"),
        ({"valid_frame_ids": [0, *range(19)]}, "frames_unordered", "increasing"),
        ({"states": [[0.0] * 7] * 20}, "shape", "(20, 7)"),
        ({"states": [[float("nan")] * 8] * 20}, "not_finite", "NaN"),
        ({"states": [["a"] * 8] * 20}, "shape", "no table of numbers"),
        ({"states": hand()["states"][:1], "actions": [], "valid_frame_ids": [0]}, "too_short", "1 states"),
        ({"valid_frame_ids": list(range(5, 25))}, "frames_outside", "picture 24"),
        ({"joints_world": [[0.0] * 3] * 20}, "shape", "(20, 21, 3)"),
    ],
)
def test_r4_what_does_not_fit_together_is_left_out_with_its_reason(tmp_path, blurred, change, code, words):
    meta = mapper(tmp_path).process_single(sample_of(blurred(), hand() | change))[META]

    assert meta["lerobot_export"] == []
    (reason,) = meta["lerobot_left_out"]
    assert reason["code"] == code and words in reason["detail"]


def test_r4_actions_that_nobody_gave_follow_from_the_states(tmp_path, blurred):
    given = hand() | {"actions": []}

    exported(tmp_path, sample_of(blurred(), given))

    expected = one_hand_actions(np.array(given["states"], np.float32))
    assert (column(rows(tmp_path), "action").astype(np.float32) == expected).all()


def pictures(root, count=20, *, first=0):
    """Write pictures as image files and return their paths."""
    root.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(first, first + count):
        path = root / f"{number:04d}.png"
        cv2.imwrite(str(path), cv2.cvtColor(picture_to_rgb(paint(number)), cv2.COLOR_RGB2BGR))
        paths.append(str(path))
    return paths


def segment(start, stop, *, side="right", caption="pour", **changes):
    found = hand(frames=range(start, stop), side=side, seed=1 if side == "left" else 0)
    named = {"segment_id": start, "start_frame": start, "end_frame": stop - 1, "caption": caption}
    return found | named | changes


def segmented(root, paths, *segments):
    sample = {"video_frames": [paths], "text": "", META: {"atomic_action_segments": list(segments)}}
    return exported(root, sample, segment_field="atomic_action_segments")[0]


def test_segments_become_episodes_with_their_captions(tmp_path):
    meta = segmented(
        tmp_path,
        pictures(tmp_path / "in"),
        segment(0, 8, caption={"action": "reach"}),
        segment(8, 14, caption="N/A"),
        segment(14, 20, caption=None, side="left"),
    )

    assert [one["task"] for one in lines(tmp_path, "tasks.jsonl")] == ["reach", "left hand action"]
    assert [(one["segment_id"], one["hand_type"], one["num_frames"]) for one in meta["lerobot_export"]] == [
        (0, "right", 8),
        (14, "left", 6),
    ]
    assert meta["lerobot_left_out"] == [
        {"code": "not_applicable", "detail": "its caption says that nothing is done", "segment_id": 8}
    ]
    assert numbers(tmp_path, 1) == list(range(14, 20))


def test_r3_segments_of_both_hands_share_pictures_and_rows(tmp_path):
    meta = segmented(
        tmp_path, pictures(tmp_path / "in"), segment(0, 12), segment(4, 16, side="left", caption="hold")
    )

    assert len({one["video_path"] for one in meta["lerobot_export"]}) == 1
    assert probe(tmp_path / meta["lerobot_export"][0]["video_path"]).frames == 16
    second = rows(tmp_path, 1)
    assert numbers(tmp_path, 1) == list(range(4, 16))
    assert column(second, "source.hand").tolist() == [0] * 12
    assert column(second, "valid.right").tolist() == [True] * 8 + [False] * 4
    assert (column(second, "observation.state") == column(second, "hand.states")[:, :8]).all()


def test_r5_an_unreadable_picture_fails_its_episodes_and_shifts_nothing(tmp_path):
    paths = pictures(tmp_path / "in")
    (tmp_path / "in/0007.png").write_bytes(b"no picture")

    made = mapper(tmp_path, segment_field="s")
    meta = made.process_single({"video_frames": paths, META: {"s": [segment(0, 12)]}})[META]

    assert meta["lerobot_export"] == []
    assert meta["lerobot_left_out"][0]["code"] == "picture_unreadable"
    assert "picture 7" in meta["lerobot_left_out"][0]["detail"]
    assert list((tmp_path / "contributions").glob("[!.]*")) == []


def test_r5_a_picture_of_another_size_is_not_bent_into_shape(tmp_path):
    paths = pictures(tmp_path / "in", 12)
    cv2.imwrite(paths[5], np.zeros((40, 64, 3), np.uint8))

    meta = mapper(tmp_path, segment_field="s").process_single(
        {"video_frames": paths, META: {"s": [segment(0, 12)]}}
    )[META]

    assert [(one["code"], one["segment_id"]) for one in meta["lerobot_left_out"]] == [("size_differs", 0)]
    assert "picture 5 is 64x40, the first one 64x48" in meta["lerobot_left_out"][0]["detail"]


def test_r6_what_is_no_video_leaves_its_episode_out(tmp_path, clips):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    made = mapper(tmp_path / "out")

    metas = [
        made.process_single(sample_of(video, hand()))[META]
        for video in (str(tmp_path / "broken.mp4"), b"no video", clips())
    ]

    assert [one["lerobot_left_out"][:1] and one["lerobot_left_out"][0]["code"] for one in metas] == [
        "video_unreadable",
        "video_unreadable",
        [],
    ]
    made.finalize_dataset(str(tmp_path / "out"))
    assert document(tmp_path / "out", "info.json")["total_episodes"] == 1


def test_r7_without_any_video_nothing_is_written(tmp_path):
    made = mapper(tmp_path)
    meta = made.process_single({"text": "", "videos": [], META: {"hand_action_tags": [hand()]}})[META]

    assert meta["lerobot_left_out"][0]["code"] == "no_video"
    with pytest.raises(NothingToExport):
        made.finalize_dataset(str(tmp_path))
    assert not (tmp_path / "meta").exists() and not (tmp_path / "versions").exists()


def test_r8_packing_again_changes_nothing_and_the_old_version_stays(tmp_path, blurred):
    exported(tmp_path, sample_of(blurred(), hand()))
    before, version = tree(tmp_path), (tmp_path / "current").resolve()

    exported(tmp_path)
    assert tree(tmp_path) == before and (tmp_path / "current").resolve() == version

    exported(tmp_path, sample_of(blurred(first=100), hand()))
    assert document(tmp_path, "info.json")["total_episodes"] == 2
    assert json.loads((version / "meta/info.json").read_text())["total_episodes"] == 1
    assert {
        name: digest for name, digest in tree(tmp_path).items() if name in before and "meta" not in name
    } == {name: digest for name, digest in before.items() if "meta" not in name}


def test_r8_unchanged_files_are_shared_between_versions(tmp_path, blurred):
    exported(tmp_path, sample_of(blurred(), hand()))
    old = (tmp_path / "current").resolve()
    exported(tmp_path, sample_of(blurred(first=100), hand()))

    name = "videos/chunk-000/observation.images.image/episode_000000.mp4"
    assert (old / name).samefile(tmp_path / name)


def test_r8_a_killed_replacement_is_finished_by_the_next_reader(tmp_path, blurred):
    exported(tmp_path, sample_of(blurred(), hand()))
    before = tree(tmp_path)
    (directory,) = (tmp_path / "contributions").glob("[!.]*")
    directory.rename(directory.with_name(f".old-{directory.name}"))
    (tmp_path / "contributions/.half-123").mkdir()

    exported(tmp_path)

    assert tree(tmp_path) == before


def test_r8_another_dataset_is_not_overwritten(tmp_path, blurred):
    (tmp_path / "meta").mkdir()
    made = mapper(tmp_path)
    made.process_single(sample_of(blurred(), hand()))

    with pytest.raises(BadConfig, match="was not written here"):
        made.finalize_dataset(str(tmp_path))


def test_r9_a_retried_sample_is_one_episode_and_order_lasts(tmp_path, blurred):
    exported(tmp_path / "a", sample_of(blurred(), hand()), sample_of(blurred(), hand()))
    assert document(tmp_path / "a", "info.json")["total_episodes"] == 1

    videos = [blurred(first=first) for first in (0, 100, 200)]
    exported(tmp_path / "b", *(sample_of(video, hand(), text=video[-10:]) for video in videos))
    exported(tmp_path / "c", *(sample_of(video, hand(), text=video[-10:]) for video in videos[::-1]))
    assert tree(tmp_path / "b") == tree(tmp_path / "c")

    order = [one["tasks"] for one in lines(tmp_path / "b", "episodes.jsonl")]
    exported(tmp_path / "b", sample_of(blurred(first=300), hand(), text="late"))
    assert [one["tasks"] for one in lines(tmp_path / "b", "episodes.jsonl")] == [*order, ["late"]]


def test_r10_the_schema_is_what_info_says_and_statistics_are_there(tmp_path, blurred):
    exported(tmp_path, sample_of(blurred(), hand()))

    info, schema = document(tmp_path, "info.json"), rows(tmp_path).schema
    declared = {key: one for key, one in info["features"].items() if one["dtype"] != "video"}
    assert set(declared) == set(schema.names)
    for key, feature in declared.items():
        kind = schema.field(key).type
        element = str(getattr(kind, "value_type", kind)).replace("float", "float32")
        assert element == feature["dtype"] and getattr(kind, "list_size", 1) == feature["shape"][0]
    (line,) = lines(tmp_path, "episodes.jsonl")
    assert line["tasks"] == ["pour tea"] and "task" not in line
    statistics = document(tmp_path, "stats.json")
    assert set(statistics) == {*declared, "observation.images.image"}
    assert {"min", "max", "mean", "std", "q01", "q99"} <= set(statistics["observation.state"])


def test_r10_statistics_count_valid_rows_only(tmp_path, blurred):
    exported(tmp_path, sample_of(blurred(), hand(frames=[0, 1, 2, 18, 19])))

    state = np.array(hand(frames=[0, 1, 2, 18, 19])["states"], np.float32)
    found = document(tmp_path, "stats.json")["observation.state"]
    np.testing.assert_allclose(found["mean"][:3], state[:, :3].astype(float).mean(axis=0), rtol=1e-6)


def test_r11_no_container_and_no_packet_of_the_input_is_passed_on(tmp_path, clips):
    """A recording under another name than mp4 works; what is stored is encoded anew, always H.264 in an mp4."""
    video = clips(name="clip.mkv")

    (meta,) = exported(tmp_path, sample_of(video, hand()))

    assert meta["lerobot_export"][0]["video_path"].endswith(".mp4")
    stored = probe(tmp_path / "videos/chunk-000/observation.images.image/episode_000000.mp4")
    assert stored.extradata_sha256 != probe(tmp_path.parent / video).extradata_sha256


def test_r12_every_file_is_looked_at(tmp_path, clips):
    large = [paint(number) for number in range(20)]
    config = RGBEncoderConfig(vcodec="h264", g=7, crf=12, preset="ultrafast")
    with VideoWriter(tmp_path / "large.mp4", config, fps=30) as writer:
        for picture in large:
            writer.add(np.kron(picture_to_rgb(picture), np.ones((2, 2, 1), np.uint8)))
        writer.finish()

    exported(tmp_path / "out", sample_of(clips(), hand()), sample_of(str(tmp_path / "large.mp4"), hand()))

    feature = document(tmp_path / "out", "info.json")["features"]["observation.images.image"]
    stored = probe(tmp_path / "out/videos/chunk-000/observation.images.image/episode_000000.mp4")
    assert feature["shape"] == [stored.height, stored.width, 3]
    assert feature["info"]["video.codec"] == stored.codec == "h264"
    (left_out,) = document(tmp_path / "out", "episode_assets.json")["left_out"]
    assert "its pictures are" in left_out["detail"]


def test_r13_rows_without_a_hand_stay_in_segments(tmp_path):
    given = segment(0, 12)
    for key in ("states", "actions", "valid_frame_ids"):
        del given[key][4:7]

    segmented(tmp_path, pictures(tmp_path / "in"), given)

    table = rows(tmp_path)
    assert numbers(tmp_path) == list(range(12)) == column(table, "source.frame_index").tolist()
    assert np.flatnonzero(~column(table, "valid.hand")).tolist() == [4, 5, 6]


def test_r15_samples_are_processed_side_by_side(tmp_path, blurred):
    """Whoever processes which sample, and however often at the same time, the dataset is the same."""
    samples = [sample_of(blurred(first=first), hand()) for first in (0, 100, 0)]
    exported(tmp_path / "one", *(dict(sample) for sample in samples))

    made = mapper(tmp_path / "many")
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(made.process_single, samples))
    made.finalize_dataset(str(tmp_path / "many"), robot_type="hand")

    assert tree(tmp_path / "many") == tree(tmp_path / "one")


def test_r16_no_action_leads_across_a_gap(tmp_path, blurred):
    """1 cm per frame at frames 0, 1, 11 and 12 is no step of 10 cm anywhere."""
    given = hand(frames=[0, 1, 11, 12])

    exported(tmp_path, sample_of(blurred(), given))

    table = rows(tmp_path)
    action, valid = column(table, "action"), column(table, "valid.action")
    assert np.flatnonzero(valid).tolist() == [0, 11]
    assert not action[~valid, :6].any()
    np.testing.assert_allclose(action[[0, 11], 0], 0.01, atol=1e-6)


def test_r17_missing_poses_are_masks_and_never_an_identity(tmp_path, blurred):
    given = hand(frames=[5, 6, 7, 10, 11])

    exported(tmp_path, sample_of(blurred(), {"right": given, "left": hand(frames=range(5, 12), side="left")}))

    table = rows(tmp_path)
    held = column(table, "observation.state").astype(np.float32)
    assert column(table, "valid.hand").tolist() == [True] * 3 + [False] * 2 + [True] * 2
    assert (held[3:5] == np.array(given["states"], np.float32)[2]).all()


@pytest.mark.parametrize("text", ["", "  ", None])
def test_a_video_without_text_gets_their_fallback(tmp_path, blurred, text):
    exported(tmp_path, sample_of(blurred(), hand(), text=text))

    assert lines(tmp_path, "tasks.jsonl") == [{"task_index": 0, "task": "manipulate object"}]


def test_bytes_of_a_video_stay_in_memory(tmp_path, clips):
    given = sample_of(Path(clips()).read_bytes(), hand())

    exported(tmp_path, given)

    assert numbers(tmp_path) == list(range(20))


def test_faces_in_handed_in_pictures_are_hidden(tmp_path):
    """Planted colours are in no file of the output, whatever was done to the pictures before."""
    root = tmp_path / "in"
    root.mkdir()
    rgb = np.full((180, 320, 3), 90, np.uint8)
    rgb[40:100, 50:110] = MAGENTA
    for number in range(12):
        cv2.imwrite(str(root / f"{number}.png"), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    paths = [str(root / f"{number}.png") for number in range(12)]
    sample = {"video_frames": paths, META: {"s": [segment(0, 12)]}}

    exported(tmp_path / "out", sample, segment_field="s", face_blur=MARK_BLUR)

    videos = list((tmp_path / "out").rglob("*.mp4"))
    assert videos
    for video in videos:
        for _, picture in decode_frames(video):
            assert not (abs(picture_to_rgb(picture).astype(int) - MAGENTA) < 60).all(axis=2).any()
    assert document(tmp_path / "out", "episode_assets.json")["privacy"]["audit"] == "passed"


def test_the_video_of_an_audited_bundle_is_not_blurred_again(tmp_path):
    artifacts = write_artifacts(tmp_path / "bundle", make_scene(30))

    (meta,) = exported(
        tmp_path / "out",
        sample_of(str(artifacts.bundle / "rgb.mp4"), hand()),
        face_blur=replace(BLUR, detector="nowhere:nobody", audit_detector="nowhere:nobody"),
    )

    assert len(meta["lerobot_export"]) == 1 and numbers(tmp_path / "out") == list(range(20))
    stored = tmp_path / "out/videos/chunk-000/observation.images.image/episode_000000.mp4"
    pairs = zip(decode_frames(artifacts.bundle / "rgb.mp4", range(20)), decode_frames(stored), strict=True)
    assert all((ours.y == theirs.y).all() for (_, ours), (_, theirs) in pairs)


def test_a_changed_contribution_is_not_packed(tmp_path, blurred):
    made = mapper(tmp_path)
    made.process_single(sample_of(blurred(), hand()))
    (path,) = (tmp_path / "contributions").glob("[!.]*/rows.parquet")
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(ArtifactDamaged, match="process its sample again"):
        made.finalize_dataset(str(tmp_path))


@pytest.mark.parametrize("options", [{"fps": 29.97}, {"fps": 0}, {"chunks_size": 1001}, {"fps": True}])
def test_numbers_out_of_range_are_refused(tmp_path, options):
    with pytest.raises(BadConfig, match="whole numbers from 1 to 1000"):
        mapper(tmp_path, **options)


def test_unknown_options_are_refused(tmp_path):
    """Theirs swallows them, so a slip of the pen keeps a default."""
    with pytest.raises(TypeError):
        mapper(tmp_path, chunk_size=10)


def test_samples_without_meta_pass_through(tmp_path):
    assert mapper(tmp_path).process_single({"text": "x"}) == {"text": "x"}


def test_another_rate_than_the_samples_have_is_refused(tmp_path, clips):
    mapper(tmp_path, fps=10).process_single(sample_of(clips(), hand()))

    with pytest.raises(BadConfig, match="10 frames per second, 15 were asked for"):
        ExportToLeRobotMapper.finalize_dataset(str(tmp_path), fps=15)
