import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyarrow.parquet as pq
import pytest

from episode_assets.errors import BadConfig
from episode_assets.lerobot import Recipe, TaskInputs
from episode_assets.lerobot.recipe_segments import SegmentChoice
from episode_assets.recording import TextStream
from episode_assets_tests.lerobot.archive import (
    BLOCK,
    make_scene,
    stamps,
    write_artifacts,
)

HERE = "episode_assets_tests.lerobot.test_segment_plan"
SHOWN: list[dict] = []


def recipe_with(**choices):
    return Recipe(min_episode_s=0.3, segments=SegmentChoice(**choices))


def tasks_file(*entries):
    content = [dict(zip(("start_s", "end_s", "task", "subtask"), entry, strict=False)) for entry in entries]
    return TaskInputs(sidecar=json.dumps(content).encode(), sidecar_where="a.tasks.json")


def fragment_of(tmp_path, recipe, *, given=None, task="tidy up", scene=None):
    """Write the fragment of 4 s at 15 Hz with a key frame at every fifth; returns document and outcome."""
    artifacts = write_artifacts(tmp_path, scene or make_scene(60))
    beside = {} if given is None else {"tasks_beside": given}
    _, outcome = artifacts.fragment(tmp_path / "out", recipe=recipe, task=task, **beside)
    return json.loads((tmp_path / "out/episodes.json").read_text()), outcome


def spans(document):
    return [(one["frame_start"], one["frame_stop"], one["task"]) for one in document["episodes"]]


def test_episodes_begin_and_end_with_the_tasks_of_the_file(tmp_path):
    given = tasks_file((0, 1, "pour tea"), (1, 2, "drink"), (3, 4, ""))

    document, outcome = fragment_of(tmp_path, recipe_with(), given=given)

    assert spans(document) == [(0, 15, "pour tea"), (15, 30, "drink"), (45, 59, "tidy up")]
    assert document["lost"] == {"no_segment": 15, "no_next_frame": 1}
    assert [one["before"] for one in document["episodes"]] == ["recording", "segment", "no_segment"]
    assert document["segments"]["origin"] == "sidecar"
    assert outcome.summary["rows"] + sum(outcome.summary["frames_lost"].values()) == 60


def test_the_action_of_the_last_row_leads_into_the_next_task(tmp_path):
    fragment_of(tmp_path, recipe_with(), given=tasks_file((0, 1, "a"), (1, 3, "b")))

    with pq.ParquetFile(tmp_path / "out/rows.parquet") as file:
        first, second = (file.read_row_group(group) for group in (0, 1))
    assert first["valid.action"].to_pylist()[-1] == [True, True]
    assert first.num_rows == 15 and second.num_rows == 30


def test_frames_between_tasks_stay_where_the_recipe_keeps_them(tmp_path):
    document, _ = fragment_of(tmp_path, recipe_with(outside="keep"), given=tasks_file((1, 2, "drink")))

    assert spans(document) == [(0, 15, "tidy up"), (15, 30, "drink"), (30, 59, "tidy up")]


def test_a_segment_in_which_nothing_is_done_is_left_out_and_counted(tmp_path):
    document, outcome = fragment_of(tmp_path, recipe_with(), given=tasks_file((0, 1, "N/A"), (1, 4, "pour")))

    assert spans(document) == [(15, 59, "pour")]
    assert document["lost"]["not_applicable"] == 15
    assert "not_applicable" in {note.code for note in outcome.warnings}


@pytest.mark.parametrize(
    ("fallback", "task", "words"),
    [("", None, "unlabelled"), ("", " wipe ", "wipe"), ("move", "wipe", "move")],
)
def test_a_segment_without_words_falls_back(tmp_path, fallback, task, words):
    document, _ = fragment_of(tmp_path, recipe_with(fallback=fallback), given=tasks_file((0, 4)), task=task)

    assert [one["task"] for one in document["episodes"]] == [words]


def test_subtasks_are_told_by_rows_of_their_episode(tmp_path):
    given = tasks_file((1, 2, "tea", "reach"), (2, 3, "tea", "pour"))

    document, _ = fragment_of(tmp_path, recipe_with(), given=given)

    (episode,) = document["episodes"]
    assert (episode["frame_start"], episode["length"], episode["tasks"]) == (15, 30, ["tea"])
    assert episode["subtasks"] == [
        {"start_row": 0, "stop_row": 15, "text": "reach"},
        {"start_row": 15, "stop_row": 30, "text": "pour"},
    ]


def test_segments_may_only_name_parts_of_an_uncut_episode(tmp_path):
    given = tasks_file((0, 1, "reach"), (1, 2, "N/A"), (2, 4, "pour"))

    document, _ = fragment_of(tmp_path, recipe_with(use="subtasks"), given=given)

    (episode,) = document["episodes"]
    assert (episode["task"], episode["length"]) == ("tidy up", 59)
    assert [(part["start_row"], part["stop_row"], part["text"]) for part in episode["subtasks"]] == [
        (0, 15, "reach"),
        (30, 59, "pour"),
    ]


def test_rows_of_one_episode_may_have_several_tasks(tmp_path):
    given = tasks_file((1, 2, "pour", "tilt"), (2, 3, "N/A"), (3, 3.6, "pour"))

    document, _ = fragment_of(tmp_path, recipe_with(use="tasks"), given=given)

    (episode,) = document["episodes"]
    assert (episode["length"], episode["task"], episode["tasks"]) == (59, "tidy up", ["tidy up", "pour"])
    assert [(run["start_row"], run["text"]) for run in episode["task_rows"]] == [
        (0, "tidy up"),
        (15, "pour"),
        (30, "tidy up"),
        (45, "pour"),
        (54, "tidy up"),
    ]
    assert [part["text"] for part in episode["subtasks"]] == ["tilt"]


def test_a_segment_is_cut_to_what_quality_control_keeps_and_that_is_told(tmp_path):
    scene = make_scene(60, kept=((5, 24),))

    document, outcome = fragment_of(tmp_path, recipe_with(), given=tasks_file((0, 4, "pour")), scene=scene)

    assert spans(document) == [(5, 25, "pour")]
    (note,) = [note for note in outcome.warnings if note.code == "segment_cut"]
    assert note.count == 1 and "40 frames" in note.detail


def test_entries_behind_the_end_are_told(tmp_path):
    _, outcome = fragment_of(tmp_path, recipe_with(), given=tasks_file((0, 4, "a"), (9, 10, "b")))

    assert "segment_beyond_end" in {note.code for note in outcome.warnings}


def test_an_episode_that_begins_between_key_frames_snaps_to_the_next_one(tmp_path):
    document, _ = fragment_of(tmp_path, recipe_with(), given=tasks_file((0.8, 4, "pour")))

    assert spans(document) == [(15, 59, "pour")]
    assert document["lost"]["not_a_key_frame"] == 3


def test_a_wrong_file_stops_the_recording_and_names_the_entry(tmp_path):
    with pytest.raises(BadConfig, match=r"entry 2 .*a\.tasks\.json"):
        fragment_of(tmp_path, recipe_with(), given=tasks_file((0, 2, "a"), (1, 3, "b")))


@pytest.mark.parametrize("source", ["sidecar", "annotations", "motion"])
def test_a_recording_without_the_source_that_a_recipe_asks_for_is_left_out(tmp_path, source):
    scene = make_scene(60)
    still = replace(scene, joints_world=np.repeat(scene.joints_world[:1], 60, axis=0))

    document, outcome = fragment_of(tmp_path, recipe_with(source=source), scene=still)

    assert document["left_out"]["code"] == "no_segments"
    assert sum(outcome.summary["frames_lost"].values()) == 60


def annotations_at(scene, *rows):
    return TaskInputs(
        annotations=TextStream(
            scene.stamp_ns[[frame for frame, _ in rows]],
            np.arange(len(rows), dtype=np.int64),
            ("/task",) * len(rows),
            tuple(text for _, text in rows),
        )
    )


def test_annotation_topics_name_tasks_where_the_recipe_asks_for_them(tmp_path):
    scene = make_scene(60)
    given = annotations_at(scene, (10, "pour"), (30, "drink"), (45, ""))

    document, _ = fragment_of(tmp_path / "asked", recipe_with(source="annotations"), given=given, scene=scene)
    silent, _ = fragment_of(tmp_path / "not", recipe_with(), given=given, scene=scene)

    assert spans(document) == [(10, 30, "pour"), (30, 45, "drink")]
    assert spans(silent) == [(0, 59, "tidy up")] and "drink" not in json.dumps(silent)


def resting_twice(count=90):
    """Return a recording whose hands move for 2 s, rest for 2 s and move again."""
    scene = make_scene(count)
    seconds = np.arange(count) / 15
    along = 0.3 * (np.minimum(seconds, 2) + np.maximum(seconds - 4, 0))
    joints = np.repeat(scene.joints_world[:1], count, axis=0)
    joints[..., 0] += along[:, None, None]
    return replace(scene, joints_world=joints)


def test_hands_that_rest_divide_a_recording(tmp_path):
    document, _ = fragment_of(tmp_path, recipe_with(source="motion"), scene=resting_twice())

    first, second = document["episodes"]
    assert abs(first["frame_stop"] - 45) <= 2 and second["task"] == "tidy up"
    assert document["segments"]["origin"] == "motion"


class Onlooker:
    """Stands in for a captioner: notes what it is shown and says what it was asked to say."""

    def __init__(self, *, model, prompt):
        self.answers = json.loads(prompt)
        SHOWN.append({"model": model, "calls": []})

    def caption(self, pictures, *, seconds):
        SHOWN[-1]["calls"].append((pictures, seconds))
        return self.answers[len(SHOWN[-1]["calls"]) - 1]


def asking(*answers, **choices):
    return recipe_with(
        captioner=f"{HERE}:Onlooker", captioner_model="onlooker 1", prompt=json.dumps(answers), **choices
    )


def test_segments_without_words_are_described_from_blurred_pictures_alone(tmp_path):
    SHOWN.clear()
    recipe = asking({"action": " pour \n tea"}, "N/A", "", caption_frames=3)
    given = tasks_file((0, 1), (1, 2), (2, 3), (3, 4, "drink"))

    document, _ = fragment_of(tmp_path, recipe, given=given)

    assert spans(document) == [(0, 15, "pour tea"), (30, 45, "tidy up"), (45, 59, "drink")]
    assert document["lost"]["not_applicable"] == 15
    assert document["segments"]["caption"] == {
        "captioner": f"{HERE}:Onlooker",
        "model": "onlooker 1",
        "prompt": recipe.segments.prompt,
        "pictures": 3,
        "fed_with": "blurred pictures of the published video only",
    }
    (seen,) = SHOWN
    numbers = [[number_in(picture) for picture in pictures] for pictures, _ in seen["calls"]]
    assert numbers == [[0, 7, 14], [15, 22, 29], [30, 37, 44]]
    times = [seconds for _, seconds in seen["calls"]]
    np.testing.assert_allclose(times, [[0, 7 / 15, 14 / 15]] * 3, atol=1e-6)


def number_in(rgb):
    number = 0
    for bit in range(16):
        row, column = divmod(bit, 8)
        block = rgb[row * BLOCK + 2 : (row + 1) * BLOCK - 2, column * BLOCK + 2 : (column + 1) * BLOCK - 2, 1]
        number |= int(block.mean() > 125) << bit
    return number


def test_nobody_is_asked_about_what_is_not_kept(tmp_path):
    SHOWN.clear()
    scene = make_scene(60, kept=((15, 29),))

    document, _ = fragment_of(tmp_path, asking("pour"), given=tasks_file((0, 1), (1, 2), (2, 3)), scene=scene)

    assert spans(document) == [(15, 30, "pour")] and len(SHOWN[0]["calls"]) == 1


@pytest.mark.parametrize("changes", [{"verdicts": ("pass",)}, {"min_score": 95.0}])
def test_nobody_is_asked_about_a_recording_that_does_not_enter(tmp_path, changes):
    SHOWN.clear()
    scene = make_scene(60, verdict="review")

    document, _ = fragment_of(
        tmp_path, replace(asking("pour"), **changes), given=tasks_file((0, 4)), scene=scene
    )

    assert document["left_out"]["code"] in ("verdict", "score") and SHOWN == []


def test_a_captioner_that_is_not_there_or_answers_nonsense_is_named(tmp_path):
    missing = recipe_with(captioner=f"{HERE}:Nobody", captioner_model="x")

    with pytest.raises(BadConfig, match="no captioner is called"):
        fragment_of(tmp_path / "a", missing, given=tasks_file((0, 4)))
    with pytest.raises(BadConfig, match="returned int"):
        fragment_of(tmp_path / "b", asking(7), given=tasks_file((0, 4)))


def test_another_prompt_makes_another_fragment():
    assert len({asking(answer).rows_digest for answer in ("a", "b")}) == 2
    assert recipe_with(outside="keep").rows_digest != recipe_with().rows_digest


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"source": "motoin"}, "nearest: motion"),
        ({"caption_frames": 0}, "1 to 256"),
        ({"captioner": "nowhere"}, "an import path"),
        ({"captioner": "a:b"}, "a changed model changes the texts"),
        ({"motion": {"max_s": 0.5, "min_s": 1.0}}, "at least twice min_s"),
        ({"motion": {"stil_m_s": 0.1}}, "did you mean 'still_m_s'"),
    ],
)
def test_a_choice_that_makes_no_sense_is_refused(choices, words):
    with pytest.raises(BadConfig, match=words):
        Recipe.from_mapping({"segments": choices})


def test_every_episode_of_random_segments_lies_in_one_of_them(tmp_path):
    cuts = np.sort(np.random.default_rng(11).choice(np.arange(1, 118), 7, replace=False)) / 30
    edges = [0.0, *cuts.tolist(), 4.0]
    entries = [(start, end, f"task {place}") for place, (start, end) in enumerate(pairwise(edges))]

    document, _ = fragment_of(tmp_path, replace(recipe_with(), min_episode_s=0.0), given=tasks_file(*entries))

    half = 1 / 30 + 1e-6
    at = (stamps(60) - stamps(60)[0]) / 1e9
    for start, stop, task in spans(document):
        first, last, _ = entries[int(task.split()[1])]
        assert first - half < at[start] and at[stop - 1] < last + half
    assert sum(stop - start for start, stop, _ in spans(document)) + sum(document["lost"].values()) == 60
