"""Documents of redactions are an input: a changed one makes a new video and nothing that does not need it."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from episode_assets import models
from episode_assets.anonymization import FaceBlurConfig
from episode_assets.errors import BadConfig, ModelMissing, StorageTrouble
from episode_assets.pipeline import Produced, bring_up_to_date, standing_of
from episode_assets.pipeline.settings import load_settings
from episode_assets.pipeline.steps import BLURRED_RGB, RAW_MCAP
from episode_assets.recording import RecordingConfig
from episode_assets.storage import ArtifactKey, RecordingEntry, Store
from episode_assets_tests.anonymization.material import START_NS, STEP_NS, TOPIC, Scene
from episode_assets_tests.recording.rig import Rig, compressed_image

SCREEN = """schema: episode_assets.redactions
schema_version: 1
redactions:
  - {reason: screen, box: [40, 60, 160, 160], messages: [2, 4]}
"""


def registered(folder: Path, jpegs: list[bytes]) -> tuple[Store, RecordingEntry]:
    rig = Rig(folder / "kitchen.mcap")
    for index, jpeg in enumerate(jpegs):
        rig.add(TOPIC, compressed_image(START_NS + index * STEP_NS, jpeg))
    store = Store.open(str(folder / "store"))
    entry = store.recordings.register(str(rig.close()))
    bring_up_to_date(store, RAW_MCAP, entry.recording_id, RecordingConfig())
    return store, entry


@pytest.fixture
def kitchen(tmp_path: Path) -> tuple[Store, RecordingEntry]:
    return registered(tmp_path, [Scene().jpeg(frame) for frame in range(8)])


@pytest.fixture
def face_weights() -> None:
    try:
        models.find("centerface")
    except ModelMissing as missing:
        pytest.skip(str(missing))


def blurred(store: Store, entry: RecordingEntry) -> Produced:
    return bring_up_to_date(store, BLURRED_RGB, entry.recording_id, FaceBlurConfig())


def hidden_messages(produced: Produced) -> list[int]:
    rows = pq.read_table(produced.artifact.path("faces.parquet")).to_pylist()
    return [row["message_number"] for row in rows if row["source"] == "redaction"]


def states(store: Store, entry: RecordingEntry) -> dict[str, tuple[str, str]]:
    return {s.asset: (s.state, s.reason) for s in standing_of(store, entry, load_settings())}


@pytest.mark.usefixtures("face_weights")
def test_a_changed_document_makes_a_new_video_and_nothing_else(
    kitchen: tuple[Store, RecordingEntry],
) -> None:
    store, entry = kitchen
    bare = blurred(store, entry)
    before = states(store, entry)

    store.recordings.change_redactions(entry.recording_id, lambda _: SCREEN.encode())
    planned = states(store, entry)
    first = blurred(store, entry)
    again = blurred(store, entry)
    store.recordings.change_redactions(
        entry.recording_id, lambda text: text.replace(b"messages: [2, 4]", b"messages: [2, 5]")
    )
    second = blurred(store, entry)
    store.recordings.change_redactions(entry.recording_id, lambda _: b"")
    back = blurred(store, entry)

    assert before["blurred_rgb"] == ("current", "")
    assert planned["blurred_rgb"] == ("outdated", "redactions")
    assert {name: state for name, state in planned.items() if name in ("raw_mcap", "hand_poses")} == {
        name: state for name, state in before.items() if name in ("raw_mcap", "hand_poses")
    }
    assert [item.was_cached for item in (bare, first, again, second, back)] == [
        False,
        False,
        True,
        False,
        True,
    ]
    assert len({item.artifact.version for item in (bare, first, second)}) == 3
    assert back.artifact == bare.artifact == store.latest(ArtifactKey("blurred_rgb", entry.recording_id))
    assert [hidden_messages(item) for item in (bare, first, second)] == [[], [2, 3, 4], [2, 3, 4, 5]]


@pytest.mark.usefixtures("face_weights")
@pytest.mark.parametrize("name", ["kitchen.mcap.redactions.yaml", "kitchen.redactions.yaml"])
def test_documents_beside_the_recording_and_in_the_store_count_together(
    name: str, kitchen: tuple[Store, RecordingEntry], tmp_path: Path
) -> None:
    store, entry = kitchen
    (tmp_path / name).write_text(SCREEN)
    store.recordings.change_redactions(
        entry.recording_id, lambda _: SCREEN.replace("messages: [2, 4]", "messages: [4, 6]").encode()
    )

    produced = blurred(store, entry)

    assert hidden_messages(produced) == [2, 3, 4, 4, 5, 6]
    assert produced.artifact.manifest.summary["redactions"] == 2
    assert store.recordings.ids() == (entry.recording_id,)


@pytest.mark.usefixtures("face_weights")
def test_a_document_that_is_gone_takes_nothing_back(
    kitchen: tuple[Store, RecordingEntry], tmp_path: Path
) -> None:
    store, entry = kitchen
    beside = tmp_path / "kitchen.redactions.yaml"
    beside.write_text(SCREEN)
    blurred(store, entry)
    beside.rename(tmp_path / "away")

    with pytest.raises(BadConfig, match=r"that has counted for this recording is gone.*put it back"):
        blurred(store, entry)
    beside.symlink_to(tmp_path / "nowhere")
    with pytest.raises(BadConfig, match="leads nowhere"):
        blurred(store, entry)

    beside.unlink()
    beside.write_text("")
    assert states(store, entry)["blurred_rgb"] == ("outdated", "redactions")


def test_a_broken_document_is_one_clear_error_before_any_picture_is_decoded(tmp_path: Path) -> None:
    """No picture of this recording decodes: whoever tries says so, and no weights are asked for either."""
    store, entry = registered(tmp_path, [b"\xff\xd8 no picture"] * 3)
    (tmp_path / "kitchen.redactions.yaml").write_text(SCREEN.replace("box", "bxo"))

    assert states(store, entry)["blurred_rgb"][0] == "missing"
    with pytest.raises(BadConfig, match=r"unknown name 'bxo'.*kitchen\.redactions\.yaml, redaction 1"):
        blurred(store, entry)
    assert store.versions(ArtifactKey("blurred_rgb", entry.recording_id)) == ()


def test_a_document_that_cannot_be_read_is_never_taken_for_none(
    kitchen: tuple[Store, RecordingEntry], tmp_path: Path
) -> None:
    store, entry = kitchen
    (tmp_path / "kitchen.redactions.yaml").mkdir()

    with pytest.raises(StorageTrouble, match=r"kitchen\.redactions\.yaml"):
        blurred(store, entry)
    state, reason = states(store, entry)["blurred_rgb"]
    assert (state, "not a file" in reason) == ("missing", True)
