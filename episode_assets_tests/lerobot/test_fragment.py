import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from episode_assets.bundle import EpisodeBundle
from episode_assets.errors import ArtifactDamaged, UnauditedArtifact
from episode_assets.lerobot import Recipe, write_fragment
from episode_assets.lerobot.fragment import Fragment, FragmentReader
from episode_assets.lerobot.recipe_packing import Packing
from episode_assets.lerobot.recipe_selection import Selection
from episode_assets_tests.lerobot.archive import (
    digest_of,
    make_scene,
    stamps,
    write_artifacts,
    write_hand_table,
)


def document_of(directory):
    return json.loads((directory / "episodes.json").read_text())


def test_a_fragment_accounts_for_every_frame(tmp_path):
    artifacts = write_artifacts(tmp_path, make_scene(stamp_ns=stamps(60, holes=[33])))

    _, outcome = artifacts.fragment(tmp_path / "out", recipe=Recipe(), task="  pour\n tea ")

    document = document_of(tmp_path / "out")
    assert [(e["frame_start"], e["frame_stop"]) for e in document["episodes"]] == [(0, 32), (33, 59)]
    assert document["task"] == "pour tea"
    assert document["bundle_digest"] == digest_of(artifacts.bundle / "rgb.mp4")
    assert outcome.summary["rows"] + sum(outcome.summary["frames_lost"].values()) == 60
    assert outcome.audit_passed and set(outcome.core) == {
        "episodes.json",
        "rows.parquet",
        "statistics.arrow",
    }


def test_rows_come_one_group_per_episode(tmp_path):
    artifacts = write_artifacts(tmp_path, make_scene(stamp_ns=stamps(60, holes=[33])))
    artifacts.fragment(tmp_path / "out", recipe=Recipe())

    metadata = pq.read_metadata(tmp_path / "out/rows.parquet")

    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [32, 26]


def test_equal_inputs_give_equal_bytes(tmp_path):
    artifacts = write_artifacts(tmp_path, make_scene(45))
    artifacts.fragment(tmp_path / "one", recipe=Recipe())
    artifacts.fragment(tmp_path / "two", recipe=Recipe())

    for name in ("episodes.json", "rows.parquet", "statistics.arrow"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize(
    ("changes", "recipe", "code"),
    [
        ({"verdict": "fail"}, Recipe(), "verdict"),
        ({}, Recipe(min_score=95.0), "score"),
        ({"kind": np.zeros((45, 2), int)}, Recipe(hands_missing="leave_out"), "no_required_hand"),
        ({"kept": ()}, Recipe(), "not_kept"),
        ({"stamp_ns": stamps(45, fps=12.5)}, Recipe(), "resampling_needed"),
        ({}, Recipe(fps=10), "resampling_needed"),
        ({}, Recipe(min_episode_s=10.0), "too_short"),
    ],
)
def test_a_recording_that_does_not_fit_is_an_empty_fragment_with_a_reason(tmp_path, changes, recipe, code):
    artifacts = write_artifacts(tmp_path, replace(make_scene(45), **changes))

    fragment, outcome = artifacts.fragment(tmp_path / "out", recipe=recipe)

    assert document_of(tmp_path / "out")["left_out"]["code"] == code
    assert outcome.skipped[0].code == code
    assert outcome.summary["episodes"] == 0
    assert sum(outcome.summary["frames_lost"].values()) == 45
    assert FragmentReader.open(fragment, recipe=recipe).episodes == []


def test_a_recording_without_hands_is_kept_with_false_masks_and_a_warning(tmp_path):
    artifacts = write_artifacts(tmp_path, make_scene(45, kind=np.zeros((45, 2), int)))

    _, outcome = artifacts.fragment(tmp_path / "out", recipe=Recipe())

    rows = pq.read_table(tmp_path / "out/rows.parquet")
    assert rows.num_rows == 44 and not any(rows["valid.left"].to_pylist() + rows["valid.right"].to_pylist())
    assert "hands_waived" in {note.code for note in outcome.warnings}
    assert document_of(tmp_path / "out")["hands_waived"] is True


def test_a_recording_with_some_hands_is_cut_to_them(tmp_path):
    scene = make_scene(60)
    scene.kind[:30] = 0
    artifacts = write_artifacts(tmp_path, scene)

    artifacts.fragment(tmp_path / "out", recipe=Recipe())

    assert [e["frame_start"] for e in document_of(tmp_path / "out")["episodes"]] == [30]
    assert document_of(tmp_path / "out")["hands_waived"] is False


def test_a_recording_without_poses_says_which_recipe_would_take_it(tmp_path):
    scene = make_scene(45)
    artifacts = write_artifacts(tmp_path, replace(scene, world_from_optical=np.full((45, 4, 4), np.nan)))

    _, outcome = artifacts.fragment(tmp_path / "out", recipe=Recipe())

    assert outcome.skipped[0].code == "no_camera_pose"
    assert "reference_frame 'camera' does without" in outcome.skipped[0].detail


@pytest.mark.parametrize("privacy", [None, {}, {"audit": "failed"}])
def test_without_a_passed_audit_nothing_is_written(tmp_path, privacy):
    artifacts = write_artifacts(tmp_path, make_scene(30))
    (tmp_path / "out").mkdir()

    with EpisodeBundle.open(artifacts.bundle) as bundle, pytest.raises(UnauditedArtifact):
        write_fragment(
            bundle,
            artifacts.hands,
            artifacts.qc,
            artifacts.blurred,
            tmp_path / "out",
            recipe=Recipe(),
            bundle_digest="b" * 64,
            recording_id=artifacts.recording_id,
            task=None,
            privacy=privacy,
        )

    assert list((tmp_path / "out").iterdir()) == []


def remove_hands(artifacts):
    (artifacts.hands / "hands.parquet").unlink()


def cut_hands(artifacts):
    path = artifacts.hands / "hands.parquet"
    path.write_bytes(path.read_bytes()[:-100])


def break_report(artifacts):
    (artifacts.qc / "qc.json").write_text("{")


def name_another_message(artifacts):
    report = json.loads((artifacts.qc / "qc.json").read_text())
    report["intervals"][0]["message_end"] = 99_999
    (artifacts.qc / "qc.json").write_text(json.dumps(report))


def drop_histograms(artifacts):
    path = artifacts.blurred / "rgb_stats.parquet"
    pq.write_table(pq.read_table(path).slice(0, 20), path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove_hands, "hands.parquet"),
        (cut_hands, "hands.parquet"),
        (break_report, "qc.json"),
        (name_another_message, "99999"),
        (drop_histograms, "20 of 29 frames have a colour histogram"),
    ],
)
def test_a_damaged_input_is_named(tmp_path, damage, message):
    artifacts = write_artifacts(tmp_path, make_scene(30))
    damage(artifacts)

    with pytest.raises(ArtifactDamaged, match=message):
        artifacts.fragment(tmp_path / "out", recipe=Recipe())


def test_of_two_left_hands_the_more_confident_counts(tmp_path):
    scene = make_scene(30)
    artifacts = write_artifacts(tmp_path, scene)
    path = artifacts.hands / "hands.parquet"
    table = pq.read_table(path).to_pylist()
    schema = pq.read_schema(path)
    wrong = [{**row, "confidence": 0.1, "joints_cam": [9.0] * 63} for row in table]
    stranger = [{**row, "confidence": 0.99, "wearer": False, "joints_cam": [8.0] * 63} for row in table]
    pq.write_table(pa.Table.from_pylist([*wrong, *table, *stranger], schema=schema), path)
    artifacts.fragment(tmp_path / "both", recipe=Recipe())
    write_hand_table(path, scene, artifacts.recording_id)
    artifacts.fragment(tmp_path / "one", recipe=Recipe())

    assert pq.read_table(tmp_path / "both/rows.parquet").equals(pq.read_table(tmp_path / "one/rows.parquet"))


def test_a_fragment_of_another_recipe_is_refused(tmp_path):
    artifacts = write_artifacts(tmp_path, make_scene(30))
    fragment, _ = artifacts.fragment(tmp_path / "out", recipe=Recipe())

    with pytest.raises(ArtifactDamaged, match="another version of recipe"):
        FragmentReader.open(fragment, recipe=Recipe(require_hands="both"))


def test_a_fragment_that_contradicts_itself_is_refused(tmp_path):
    artifacts = write_artifacts(tmp_path, make_scene(30))
    fragment, _ = artifacts.fragment(tmp_path / "out", recipe=Recipe())
    document = document_of(tmp_path / "out")
    document["episodes"][0]["length"] = 7
    (tmp_path / "out/episodes.json").write_text(json.dumps(document))

    with pytest.raises(ArtifactDamaged, match="hold episodes of"):
        FragmentReader.open(fragment, recipe=Recipe())
    with pytest.raises(ArtifactDamaged, match="cannot be read"):
        FragmentReader.open(Fragment("x", tmp_path / "none", "f", tmp_path), recipe=Recipe())


def test_a_contribution_is_the_same_however_it_will_be_packed(tmp_path):
    artifacts = write_artifacts(tmp_path, make_scene(30))
    packed_otherwise = Recipe(
        video_file_mib=50,
        licence="cc-by-4.0",
        packing=Packing(version="v2.1", splits=(("train", 0.5), ("test", 0.5))),
        selection=Selection(consent=("research",)),
    )

    _, outcome = artifacts.fragment(tmp_path / "one", recipe=Recipe())
    artifacts.fragment(tmp_path / "two", recipe=packed_otherwise)

    assert packed_otherwise.for_rows() == Recipe()
    for name in outcome.core:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
