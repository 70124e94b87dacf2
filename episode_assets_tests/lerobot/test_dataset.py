import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from episode_assets.errors import NothingToExport, UnauditedArtifact
from episode_assets.lerobot import Recipe, pack_dataset, read_ledger, verify_dataset
from episode_assets.lerobot.recipe_packing import Packing
from episode_assets.lerobot.tasks import read_tasks
from episode_assets.video import decode_frames, picture_to_rgb, probe
from episode_assets_tests.lerobot.archive import make_scene, stamps, write_artifacts
from episode_assets_tests.lerobot.reading import (
    VIDEO,
    assert_every_row_has_its_picture,
    episodes_of,
    info_of,
    table_of,
)


def pack(directory, fragments, **options):
    directory.mkdir()
    return pack_dataset(fragments, directory, recipe=options.pop("recipe", Recipe()), **options)


def tree(directory):
    return {p.relative_to(directory).as_posix(): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def test_a_packed_dataset_passes_its_own_verification(archive):
    assert [str(problem) for problem in verify_dataset(archive.dataset)] == []


def test_every_row_has_its_picture_after_cuts_and_packing(archive):
    assert len(episodes_of(archive.dataset)) == 6
    assert_every_row_has_its_picture(archive.dataset)


def test_info_describes_all_features_in_the_order_of_the_columns(archive):
    info = info_of(archive.dataset)

    assert info["codebase_version"] == "v3.0" and info["fps"] == 15 and type(info["fps"]) is int
    assert info["splits"] == {"train": "0:6"}
    assert info["features"][VIDEO]["shape"] == [48, 64, 3]
    assert info["features"][VIDEO]["info"]["video.codec"] == "h264"
    assert [key for key in info["features"] if key != VIDEO] == pq.read_schema(
        archive.dataset / "data/chunk-000/file-000.parquet"
    ).names
    policy_inputs = [key for key in info["features"] if key.startswith(("observation", "action"))]
    assert policy_inputs == [VIDEO, "observation.state", "action"]


def test_task_texts_are_found_without_pandas_and_named_as_its_index(archive):
    path = archive.dataset / "meta/tasks.parquet"

    assert read_tasks(path) == ("pour tea", "unlabelled")
    note = json.loads(pq.read_schema(path).metadata[b"pandas"])
    assert note["index_columns"] == ["task"]
    assert [(c["name"], c["pandas_type"], c["numpy_type"]) for c in note["columns"]] == [
        ("task_index", "int64", "int64"),
        ("task", "unicode", "object"),
    ]
    assert set(table_of(archive.dataset)["task_index"][32 + 26 : 2 * (32 + 26)]) == {1}


def test_statistics_of_pictures_are_those_of_the_decoded_video(archive):
    stored = json.loads((archive.dataset / "meta/stats.json").read_text())[VIDEO]
    path = archive.dataset / f"videos/{VIDEO}/chunk-000/file-000.mp4"
    pixels = np.stack([picture_to_rgb(p) for _, p in decode_frames(path, range(probe(path).frames))])

    for channel in range(3):
        values = pixels[..., channel].reshape(-1) / 255.0
        assert stored["mean"][channel][0][0] == pytest.approx(values.mean(), abs=1e-12)
        assert stored["std"][channel][0][0] == pytest.approx(values.std(), abs=1e-12)
        assert stored["q01"][channel][0][0] == pytest.approx(np.quantile(values, 0.01), abs=1e-12)
    assert stored["count"] == [len(pixels)]


def test_per_episode_statistics_are_those_of_its_rows(archive):
    rows = table_of(archive.dataset)
    for episode in episodes_of(archive.dataset):
        inside = slice(episode["dataset_from_index"], episode["dataset_to_index"])
        for key in ("index", "observation.state", "task_index"):
            values = rows[key][inside].reshape(episode["length"], -1).astype(np.float64)
            np.testing.assert_allclose(episode[f"stats/{key}/mean"], values.mean(axis=0), atol=1e-9)
            np.testing.assert_allclose(
                episode[f"stats/{key}/q90"], np.quantile(values, 0.9, axis=0), atol=1e-9
            )


def test_equal_inputs_and_ledger_give_equal_bytes_in_any_order(archive, tmp_path):
    pack(tmp_path / "again", archive.fragments[::-1])

    assert tree(tmp_path / "again") == tree(archive.dataset)


def test_an_append_leaves_the_rows_of_others_alone(archive, tmp_path):
    """The earliest recording comes last, and still nobody is renumbered."""
    two = archive.fragments[1:]
    pack(tmp_path / "two", two)
    ledger = read_ledger(tmp_path / "two")

    pack(tmp_path / "three", archive.fragments, ledger=ledger)

    assert read_ledger(tmp_path / "three") == (*ledger, archive.fragments[0].recording_id)
    before, after = table_of(tmp_path / "two"), table_of(tmp_path / "three")
    for key in ("index", "episode_index", "task_index", "source.message_number"):
        np.testing.assert_array_equal(after[key][: len(before[key])], before[key])
    assert_every_row_has_its_picture(tmp_path / "three")


def test_a_removed_recording_closes_the_gap(archive, tmp_path):
    pack(tmp_path / "less", [archive.fragments[0], archive.fragments[2]], ledger=read_ledger(archive.dataset))

    assert [e["episode_index"] for e in episodes_of(tmp_path / "less")] == [0, 1, 2, 3]
    assert verify_dataset(tmp_path / "less") == []
    assert_every_row_has_its_picture(tmp_path / "less")


def test_one_bad_fragment_is_left_out_and_keeps_its_place(archive, tmp_path):
    bad = replace(archive.fragments[1], directory=tmp_path / "nowhere")

    outcome = pack(
        tmp_path / "out",
        [archive.fragments[0], bad, archive.fragments[2]],
        ledger=read_ledger(archive.dataset),
    )

    assert [(item.name, item.code) for item in outcome.skipped] == [(bad.recording_id, "damaged")]
    assert read_ledger(tmp_path / "out") == read_ledger(archive.dataset)
    assert verify_dataset(tmp_path / "out") == []
    assert f"- `{bad.recording_id}`: damaged" in (tmp_path / "out/README.md").read_text()
    for file in ("README.md", "meta/episode_assets.json"):
        assert str(tmp_path) not in (tmp_path / "out" / file).read_text(), (
            "where the store lies is nobody's business"
        )


def test_a_fragment_whose_video_is_another_one_is_left_out(archive, tmp_path):
    swapped = replace(archive.fragments[1], bundle_video=tmp_path / "none.mp4")

    outcome = pack(tmp_path / "out", [archive.fragments[0], swapped])

    assert outcome.skipped[0].code == "damaged"
    assert outcome.summary["episodes"] == 2


def test_a_dataset_without_any_measured_hand_is_packed_and_says_so(tmp_path):
    pack(tmp_path / "out", [other(tmp_path, "blank-00000000", kind=np.zeros((45, 2), int))])

    document = json.loads((tmp_path / "out/meta/episode_assets.json").read_text())
    assert verify_dataset(tmp_path / "out") == []
    assert len(document["never_valid"]["observation.state"]) == 18
    assert "never measured long" in (tmp_path / "out/README.md").read_text()
    stored = json.loads((tmp_path / "out/meta/stats.json").read_text())["action"]
    assert stored["std"] == [0.0] * 18 and stored["count"] == [0]


def other(tmp_path, name, recipe=None, **changes):
    scene = make_scene(
        45, stamp_ns=changes.pop("stamp_ns", stamps(45) + 10**13), first_message=9000, **changes
    )
    artifacts = write_artifacts(tmp_path / name, scene, recording_id=name)
    return artifacts.fragment(tmp_path / f"{name}-fragment", recipe=recipe or Recipe())[0]


def test_a_recording_at_another_rate_is_left_out_with_the_remedy(archive, tmp_path):
    fast = other(tmp_path, "fast-00000000", stamp_ns=stamps(45, fps=30) + 10**13)

    outcome = pack(tmp_path / "out", [archive.fragments[0], fast])

    assert outcome.skipped[0].code == "fps_differs"
    assert "timing: resample" in outcome.skipped[0].detail


def test_videos_of_other_parameter_sets_lie_in_files_of_their_own(archive, tmp_path):
    """Copied into one file they would decode without an error to wrong pictures."""
    sharper = other(tmp_path, "sharper-00000000", crf=30)

    pack(tmp_path / "out", [archive.fragments[0], sharper])

    assert len(list((tmp_path / "out").rglob("*.mp4"))) == 2
    assert verify_dataset(tmp_path / "out") == []
    assert_every_row_has_its_picture(tmp_path / "out")


def test_a_fragment_without_a_passed_audit_stops_everything(archive, tmp_path):
    fragment = other(tmp_path, "secret-00000000")
    path = fragment.directory / "episodes.json"
    document = json.loads(path.read_text())
    document["privacy"]["audit"] = "failed"
    path.write_text(json.dumps(document))

    with pytest.raises(UnauditedArtifact):
        pack(tmp_path / "out", [archive.fragments[0], fragment])

    assert list((tmp_path / "out").iterdir()) == []


def test_without_any_episode_nothing_is_packed_and_everybody_is_named(tmp_path):
    fragment = other(tmp_path, "empty-00000000", kept=())

    with pytest.raises(
        NothingToExport, match=r"empty-00000000.*outside the intervals that quality control keeps"
    ):
        pack(tmp_path / "out", [fragment])


def test_the_card_says_what_was_blurred_and_what_is_not_removed(archive):
    text = (archive.dataset / "README.md").read_text()

    assert "face-blurred" in text and "anonymi" not in text
    assert "- bodies" in text and "- screens" in text
    assert text.startswith("---\nlicense: other\n") and "- LeRobot" in text


def test_provenance_traces_every_episode_and_names_the_masks(archive):
    document = json.loads((archive.dataset / "meta/episode_assets.json").read_text())

    assert [e["episode_index"] for e in document["episodes"]] == list(range(6))
    assert document["masks"]["action"][1] == {"elements": [9, 18], "column": "valid.action", "index": 1}
    assert document["valid_counts"]["observation.state"] == [174] * 18
    assert document["never_valid"] == {}
    assert document["privacy"]["audit"] == "passed"


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    segments=st.lists(st.tuples(st.integers(0, 59), st.integers(0, 59)).map(sorted), min_size=0, max_size=4),
    version=st.sampled_from(["v3.0", "v3.0", "v2.1", "v2.0"]),
)
def test_random_segment_lists_pack_into_contiguous_indexes(tmp_path_factory, segments, version):
    root = tmp_path_factory.mktemp("random")
    recipe = Recipe(min_episode_s=0.0, packing=Packing(version=version))
    kept, reached = [], -1
    for first, last in sorted(segments):
        if first > reached:
            kept.append((first, last))
            reached = last
    fragments = []
    for number in range(2):
        scene = make_scene(stamp_ns=stamps(60, holes=[21]) + number * 10**12, first_message=2000 * number)
        scene = replace(scene, kept=tuple(kept) if number else ((0, 40),))
        artifacts = write_artifacts(root / f"r{number}", scene, recording_id=f"r{number}")
        fragments.append(artifacts.fragment(root / f"f{number}", recipe=recipe)[0])

    pack(root / "out", fragments, recipe=recipe)

    rows = table_of(root / "out")
    assert rows["index"].tolist() == list(range(len(rows["index"])))
    lengths = [e["length"] for e in episodes_of(root / "out")]
    assert sum(lengths) == len(rows["index"])
    assert sum(probe(path).frames for path in (root / "out").rglob("*.mp4")) == sum(lengths)
    assert [str(problem) for problem in verify_dataset(root / "out")] == []
    assert_every_row_has_its_picture(root / "out")
