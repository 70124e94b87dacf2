"""A file of hands beside the recording is an input of hand_poses alone: found, remembered, and missed when gone."""

from __future__ import annotations

import uuid
from pathlib import Path

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from episode_assets.errors import BadConfig, MissingStream, SourceChanged
from episode_assets.hands import HandPoseConfig, PrecomputedOptions
from episode_assets.pipeline import Produced, bring_up_to_date, standing_of
from episode_assets.pipeline.settings import load_settings
from episode_assets.pipeline.steps import HAND_POSES, RAW_MCAP
from episode_assets.recording import RecordingConfig
from episode_assets.storage import HANDS_SUFFIX, RecordingEntry, Store
from episode_assets_tests.object_store import BUCKET
from episode_assets_tests.recording.rig import EPOCH_NS, Rig, compressed_image, image, jpeg

GIVEN = HandPoseConfig(backend="precomputed")
NAMES = ("kitchen.mcap.hands.parquet", "kitchen.hands.parquet")


def recorded(folder: Path, pictures: int = 5) -> Path:
    rig = Rig(folder / "kitchen.mcap")
    for number in range(pictures):
        stamp = EPOCH_NS + number * 50_000_000
        rig.add("/camera/color/image_raw/compressed", compressed_image(stamp, jpeg(number)))
        rig.add("/camera/depth/image_rect_raw", image(stamp, np.full((24, 32), 600, np.uint16), "16UC1"))
    return rig.close()


def hands(*messages: int, side: str = "right") -> bytes:
    """A file with a hand in these messages, joint j at (j, 2 j) px."""
    joints = list(range(21))
    columns = {
        "message_number": [message for message in messages for _ in joints],
        "side": [side] * 21 * len(messages),
        "joint": joints * len(messages),
        "u": [float(joint) for joint in joints] * len(messages),
        "v": [2.0 * joint for joint in joints] * len(messages),
    }
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return bytes(sink.getvalue())


def registered(store_uri: str, source: str) -> tuple[Store, RecordingEntry]:
    store = Store.open(store_uri)
    entry = store.recordings.register(source)
    bring_up_to_date(store, RAW_MCAP, entry.recording_id, RecordingConfig())
    return store, entry


@pytest.fixture
def kitchen(tmp_path: Path) -> tuple[Store, RecordingEntry]:
    return registered(str(tmp_path / "store"), str(recorded(tmp_path)))


def made(kitchen: tuple[Store, RecordingEntry], config: HandPoseConfig = GIVEN) -> Produced:
    store, entry = kitchen
    return bring_up_to_date(store, HAND_POSES, entry.recording_id, config)


def messages_of(produced: Produced) -> list[int]:
    return list(pq.read_table(produced.artifact.path("hands.parquet"))["message_number"].to_pylist())


def states(kitchen: tuple[Store, RecordingEntry], tmp_path: Path) -> dict[str, tuple[str, str]]:
    store, entry = kitchen
    settings = tmp_path / "settings.yaml"
    settings.write_text("hand_poses: {backend: precomputed}\n")
    return {s.asset: (s.state, s.reason) for s in standing_of(store, entry, load_settings(settings))}


@pytest.mark.parametrize("name", NAMES)
def test_a_file_beside_a_local_recording_is_taken(
    name: str, kitchen: tuple[Store, RecordingEntry], tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(hands(1, 3))

    assert messages_of(made(kitchen)) == [1, 3]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_beside_a_recording_in_a_bucket_is_taken_and_missed(
    name: str, s3_bucket: str, tmp_path: Path
) -> None:
    prefix = uuid.uuid4().hex[:8]
    bucket = boto3.resource("s3").Bucket(BUCKET)
    bucket.upload_file(str(recorded(tmp_path)), f"{prefix}/kitchen.mcap")
    bucket.put_object(Key=f"{prefix}/{name}", Body=hands(2))
    kitchen = registered(str(tmp_path / "store"), f"{s3_bucket}/{prefix}/kitchen.mcap")

    first = made(kitchen)
    bucket.put_object(Key=f"{prefix}/{name}", Body=hands(0, 4))
    second = made(kitchen)
    bucket.Object(f"{prefix}/{name}").delete()

    assert [messages_of(first), messages_of(second)] == [[2], [0, 4]]
    with pytest.raises(BadConfig, match=r"hands\.parquet that has counted for this recording is gone"):
        made(kitchen)


def test_a_changed_file_makes_hands_stale_and_nothing_else(
    kitchen: tuple[Store, RecordingEntry], tmp_path: Path
) -> None:
    beside = tmp_path / NAMES[1]
    beside.write_bytes(hands(1))
    first, before = made(kitchen), states(kitchen, tmp_path)

    beside.write_bytes(hands(1, 2))
    planned = states(kitchen, tmp_path)
    second, again = made(kitchen), made(kitchen)
    beside.write_bytes(hands(1))

    assert before["hand_poses"] == ("current", "")
    assert planned["hand_poses"] == ("outdated", "beside")
    assert {k: v for k, v in planned.items() if k in ("raw_mcap", "blurred_rgb")} == {
        k: v for k, v in before.items() if k in ("raw_mcap", "blurred_rgb")
    }
    assert [first.was_cached, second.was_cached, again.was_cached] == [False, False, True]
    assert made(kitchen).artifact == first.artifact


def test_a_file_that_is_gone_is_an_error_until_an_empty_one_says_so(
    kitchen: tuple[Store, RecordingEntry], tmp_path: Path
) -> None:
    beside = tmp_path / NAMES[0]
    beside.write_bytes(hands(1))
    made(kitchen)

    beside.rename(tmp_path / "away")
    with pytest.raises(BadConfig, match=r"is gone.*put it back"):
        made(kitchen)
    assert states(kitchen, tmp_path)["hand_poses"][0] == "outdated"
    beside.symlink_to(tmp_path / "nowhere")
    with pytest.raises(BadConfig, match="leads nowhere"):
        made(kitchen)
    beside.unlink()
    (tmp_path / NAMES[1]).write_bytes(hands(1))
    assert made(kitchen).was_cached

    beside.write_bytes(b"")
    (tmp_path / NAMES[1]).write_bytes(b"")
    with pytest.raises(MissingStream, match="no topic has hands"):
        made(kitchen)


def test_files_that_differ_are_refused_and_equal_ones_are_one(
    kitchen: tuple[Store, RecordingEntry], tmp_path: Path
) -> None:
    for name in NAMES:
        (tmp_path / name).write_bytes(hands(1))
    assert messages_of(made(kitchen)) == [1]

    (tmp_path / NAMES[0]).write_bytes(hands(2))
    with pytest.raises(BadConfig, match="differ"):
        made(kitchen)


def test_what_the_settings_name_goes_before_the_file_beside(
    kitchen: tuple[Store, RecordingEntry], tmp_path: Path
) -> None:
    (tmp_path / NAMES[0]).write_bytes(hands(1))
    (tmp_path / "named.parquet").write_bytes(hands(4))
    named = HandPoseConfig(
        backend="precomputed", precomputed=PrecomputedOptions(file=str(tmp_path / "named.parquet"))
    )
    topics = HandPoseConfig(backend="precomputed", precomputed=PrecomputedOptions(left="/left"))

    assert messages_of(made(kitchen, named)) == [4]
    with pytest.raises(MissingStream, match="no topic has hands"):
        made(kitchen, topics)


def test_other_backends_look_for_no_file(kitchen: tuple[Store, RecordingEntry], tmp_path: Path) -> None:
    store, entry = kitchen
    (tmp_path / NAMES[0]).write_bytes(b"anything")

    assert HAND_POSES.takes_beside(HandPoseConfig()) is None
    standings = {s.asset: s.state for s in standing_of(store, entry, load_settings())}
    assert standings["hand_poses"] == "missing"
    assert [path.name for path in (tmp_path / "store" / "recordings").glob("*.known")] == []


def test_a_file_that_is_written_again_meanwhile_is_not_taken_for_the_one_that_was_found(
    kitchen: tuple[Store, RecordingEntry], tmp_path: Path
) -> None:
    store, entry = kitchen
    (tmp_path / NAMES[0]).write_bytes(hands(1))
    found = store.recordings.beside(entry, HANDS_SUFFIX)
    (tmp_path / NAMES[0]).write_bytes(hands(2))

    assert found is not None
    with pytest.raises(SourceChanged, match="written again"):
        found.read()
