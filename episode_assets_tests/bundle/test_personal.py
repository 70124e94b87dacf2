"""Sound, places, words and other views: left out and named, unless the kinds that can be asked for are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from episode_assets.bundle import BundleConfig, EpisodeBundle, write_bundle
from episode_assets.bundle.personal import SCHEMAS, values_of
from episode_assets.errors import BadConfig
from episode_assets.outcome import Outcome
from episode_assets.recording import RecordingView, scan_recording
from episode_assets_tests.bundle.conftest import Maker
from episode_assets_tests.bundle.recordings import PASSED, RECORDING_ID, Pictures, write_pictures
from episode_assets_tests.recording.rig import EPOCH_NS, Rig, T, compressed_image, header, jpeg

STEP_NS, FRAMES = 50_000_000, 4
SAMPLES = np.arange(-80, 80, dtype="<i2")
BERLIN = (52.5163, 13.3777)


def sounds(rig: Rig) -> None:
    """foxglove's RawAudio as protobuf, and audio_common's AudioData."""
    raw_audio = pytest.importorskip(
        "foxglove_schemas_protobuf.RawAudio_pb2", reason="foxglove's schemas are not installed"
    )
    from mcap_protobuf.schema import build_file_descriptor_set

    writer = rig.writer
    schemas = build_file_descriptor_set(raw_audio.RawAudio).SerializeToString()
    proto = writer.register_schema("foxglove.RawAudio", "protobuf", schemas)
    ros = writer.register_schema("audio_common_msgs/msg/AudioData", "ros2msg", b"uint8[] data")
    microphone = writer.register_channel("/zebedee/mic", "protobuf", proto)
    headset = writer.register_channel("/headset", "cdr", ros)
    for number in range(3):
        stamp = EPOCH_NS + number * STEP_NS
        block = raw_audio.RawAudio(
            data=SAMPLES.tobytes(), format="pcm-s16", sample_rate=16_000, number_of_channels=1
        )
        block.timestamp.FromNanoseconds(stamp)
        writer.add_message(microphone, stamp, block.SerializeToString(), stamp)
    data = bytes(range(10))
    writer.add_message(headset, EPOCH_NS, b"\0\1\0\0" + len(data).to_bytes(4, "little") + data, EPOCH_NS)


def places(rig: Rig) -> None:
    for number, (latitude, fixed) in enumerate(((BERLIN[0], 0), (np.nan, 0), (0.0, -1))):
        stamp = EPOCH_NS + number * STEP_NS
        status = T.NavSatStatus(status=fixed, service=1)
        fix = T.NavSatFix(header(stamp, "antenna"), status, latitude, BERLIN[1], np.nan, np.zeros(9), 0)
        rig.add("/fix", fix)


@dataclass(frozen=True)
class Made:
    path: Path
    outcome: Outcome
    scanned: Outcome

    def details(self) -> dict[str, str]:
        return {item.name: item.detail for item in self.outcome.skipped if item.code == "personal"}


def made(folder: Path, config: BundleConfig | None = None) -> Made:
    rig = Rig(folder / "rig.mcap")
    rig.metadata("session", {"device_name": "Zebedee's phone", "fps": "20"})
    for number in range(FRAMES):
        stamp = EPOCH_NS + number * STEP_NS
        rig.add("/camera/color/image_raw/compressed", compressed_image(stamp, jpeg(number)))
        rig.add("/thumbnail/compressed", compressed_image(stamp, jpeg(number, 32, 24)))
    rig.add("/task", T.String(data="zebedee fries an egg"), log_time_ns=EPOCH_NS)
    rig.add("/chat", T.String(data="call mother"), log_time_ns=EPOCH_NS)
    sounds(rig)
    places(rig)
    rig.writer.add_attachment(EPOCH_NS, EPOCH_NS, "selfie.jpg", "image/jpeg", jpeg(1))
    source, stamps = rig.close(), EPOCH_NS + STEP_NS * np.arange(FRAMES)
    for name in ("raw", "bundle"):
        (folder / name).mkdir()
    scanned = scan_recording(str(source), folder / "raw", recording_id=RECORDING_ID)
    view = RecordingView.open(folder / "raw", str(source))
    write_pictures(folder / "blurred", Pictures(np.arange(FRAMES), stamps, 64, 48))
    outcome = write_bundle(
        view, folder / "blurred", None, folder / "bundle", config=config or BundleConfig(), privacy=PASSED
    )
    return Made(folder / "bundle", outcome, scanned)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made(tmp_path_factory.mktemp("plain"))


def test_what_is_left_out_is_named_by_kind_and_number(plain: Made) -> None:
    details = plain.details()

    assert set(details) == {"audio", "location", "text", "pictures", "attachments", "metadata"}
    assert details["audio"] == "2 streams of 4 messages with sound; `personal: [audio]` asks for it"
    assert details["location"].startswith("1 stream of 3 messages with places on the globe")
    assert details["text"] == "2 streams of 2 messages with free text; it stays in the recording"
    assert "nobody has blurred" in details["pictures"]
    assert details["metadata"].startswith("1 of 2 entries")
    assert plain.outcome.privacy is not None
    assert (plain.outcome.privacy["personal"], plain.outcome.privacy["unverified"]) == ([], [])


def test_nothing_of_it_is_in_any_file(plain: Made) -> None:
    words = [SAMPLES.tobytes()[:64], b"zebedee", b"Zebedee", b"call mother", b"selfie", b"headset", b"/fix"]
    content = {path.name: path.read_bytes() for path in plain.path.rglob("*") if path.is_file()}

    assert [(name, word) for name, data in content.items() for word in words if word in data] == []
    assert not {"audio.parquet", "location.parquet"} & set(content)


def test_the_scan_names_each_stream_that_stays_in_the_recording(plain: Made) -> None:
    left = {item.name: item.detail for item in plain.scanned.skipped if item.code == "personal"}

    assert set(left) == {"/zebedee/mic", "/headset", "/fix", "/chat", "/thumbnail/compressed", "attachments"}
    assert left["/zebedee/mic"] == "3 messages with sound stay in the recording"
    assert "annotations" in plain.scanned.saved


def test_sound_and_places_that_are_asked_for_are_taken_along(tmp_path: Path) -> None:
    asked = made(tmp_path, BundleConfig(personal=("location", "audio")))

    sound = pq.read_table(asked.path / "audio.parquet").to_pylist()
    place = pq.read_table(asked.path / "location.parquet").to_pylist()

    assert {"audio.parquet", "location.parquet"} <= set(asked.outcome.core) & set(asked.outcome.saved)
    assert not {"audio", "location"} & set(asked.details())
    assert {"text", "pictures", "attachments", "metadata"} == set(asked.details())
    assert asked.outcome.privacy is not None
    assert asked.outcome.privacy["personal"] == ["audio", "location"]
    assert asked.outcome.privacy["unverified"] == ["audio.parquet", "location.parquet"]
    spoken = [row for row in sound if row["stream"] == 1]
    assert [row["stamp_ns"] for row in spoken] == [EPOCH_NS + i * STEP_NS for i in range(3)]
    assert all(np.array_equal(np.frombuffer(row["data"], "<i2"), SAMPLES) for row in spoken)
    assert (spoken[0]["format"], spoken[0]["sample_rate"], spoken[0]["channels"]) == ("pcm-s16", 16_000, 1)
    heard = [row for row in sound if row["stream"] == 0]
    assert [(row["data"], row["sample_rate"]) for row in heard] == [(bytes(range(10)), None)]
    assert [(row["latitude_deg"], row["longitude_deg"], row["altitude_m"]) for row in place] == [
        (*BERLIN, None)
    ]
    assert {note.code: note.count for note in asked.outcome.warnings}["location_unreadable"] == 2
    with EpisodeBundle.open(asked.path) as bundle:
        assert bundle.personal_path("audio") == asked.path / "audio.parquet"
        assert bundle.privacy["unverified"] == ["audio.parquet", "location.parquet"]
    content = {path.name: path.read_bytes() for path in asked.path.rglob("*") if path.is_file()}
    names = (b"zebedee", b"headset", b"/fix")
    assert [(name, word) for name, data in content.items() for word in names if word in data] == []


def test_what_is_asked_for_and_not_there_is_said(make: Maker) -> None:
    bundle = make(config=BundleConfig(personal=("audio",)))

    assert bundle.reasons() == {
        "annotation.hdf5:/hand-pose": "no_hands_found",
        "audio.parquet": "no_audio_messages",
    }
    assert bundle.outcome.privacy is not None
    assert (bundle.outcome.privacy["personal"], bundle.outcome.privacy["unverified"]) == ([], [])
    with EpisodeBundle.open(bundle.path) as opened:
        assert opened.personal_path("audio") is None


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary().map(lambda b: np.frombuffer(b, "u1")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from(
    [
        "data",
        "format",
        "sample_rate",
        "number_of_channels",
        "audio",
        "latitude",
        "longitude",
        "altitude",
        "status",
    ]
)


@given(content=ANYTHING | st.dictionaries(FIELDS, ANYTHING), kind=st.sampled_from(sorted(SCHEMAS)))
def test_whatever_a_message_says_becomes_a_row_or_none(content: object, kind: str) -> None:
    values = values_of(kind, content)

    if values is not None:
        own = pa.schema([field for field in SCHEMAS[kind] if field.name in values])
        assert pa.Table.from_pylist([values], schema=own).to_pylist() == [values]


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        ("audio", {"audio": {"data": "AAEC"}}, {"data": b"\0\1\2"}),
        ("audio", {"data": "no base64!"}, None),
        ("audio", {"data": 5}, None),
        ("location", {"latitude": 91.0, "longitude": 0.0}, None),
        ("location", {"status": {"status": -1, "service": 0}, "latitude": 0.0, "longitude": 0.0}, None),
        ("location", {"status": {"status": 2}, "latitude": 1.0, "longitude": 2.0}, {"latitude_deg": 1.0}),
        ("location", {"status": "fixed", "latitude": 1.0, "longitude": 2.0}, {"longitude_deg": 2.0}),
        ("location", {"latitude": 1, "longitude": 359.5, "altitude": "high"}, {"latitude_deg": 1.0}),
    ],
)
def test_only_what_is_what_it_should_be_is_kept(
    kind: str, content: dict[str, object], expected: dict[str, object] | None
) -> None:
    values = values_of(kind, content)

    assert (values is None) == (expected is None)
    assert (values or {}).items() >= (expected or {}).items()


@pytest.mark.parametrize("kinds", [("text",), ("audio", "pictures"), "audio"])
def test_other_kinds_cannot_be_asked_for(kinds: tuple[str, ...]) -> None:
    with pytest.raises(BadConfig, match="out of audio, location"):
        BundleConfig(personal=kinds)
