"""`redact` and `faces`: what a person hides and reviews at a command line."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from episode_assets import models
from episode_assets.anonymization import FaceBlurConfig
from episode_assets.cli import main
from episode_assets.errors import AuditFailed, ModelMissing
from episode_assets.pipeline import bring_up_to_date
from episode_assets.pipeline.steps import BLURRED_RGB, RAW_MCAP
from episode_assets.recording import RecordingConfig
from episode_assets.storage import RecordingEntry
from episode_assets_tests.anonymization.material import START_NS, STEP_NS, TOPIC, Scene, encode
from episode_assets_tests.anonymization.stand_ins import FORGETFUL
from episode_assets_tests.anonymization.test_redactions import SCREEN, with_screen
from episode_assets_tests.conftest import Workplace
from episode_assets_tests.recording.rig import Rig, compressed_image

BOX = ",".join(map(str, SCREEN))
FRAMES = 12


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


@pytest.fixture
def face_weights() -> None:
    try:
        models.find("centerface")
    except ModelMissing as missing:
        pytest.skip(str(missing))


def registered(place: Workplace, *, scene: Scene) -> RecordingEntry:
    """A face crosses a kitchen with a screen in it; the second message does not decode."""
    rig = Rig(place.folder / "kitchen.mcap")
    for index in range(FRAMES):
        jpeg = encode(with_screen(scene.picture(index)))
        rig.add(TOPIC, compressed_image(START_NS + index * STEP_NS, jpeg[:200] if index == 1 else jpeg))
    entry = place.store.recordings.register(str(rig.close()))
    bring_up_to_date(place.store, RAW_MCAP, entry.recording_id, RecordingConfig())
    return entry


def passing_by(**options: frozenset[int]) -> Scene:
    return Scene(faces={frame: (180 + 6.0 * frame, 90.0) for frame in range(FRAMES)}, **options)


def blur(place: Workplace, entry: RecordingEntry, config: FaceBlurConfig) -> None:
    bring_up_to_date(place.store, BLURRED_RGB, entry.recording_id, config)


CONFIG = FaceBlurConfig(g=8, max_dropped_ratio=0.5)


@pytest.mark.usefixtures("face_weights")
def test_areas_are_added_listed_and_removed_and_what_follows_is_said(workplace: Workplace) -> None:
    entry = registered(workplace, scene=passing_by())
    name = entry.recording_id

    before = call("redact", name)
    added = call("redact", name, "--box", BOX, "--seconds", "0.1:0.5", "--reason", "screen")
    blur(workplace, entry, CONFIG)
    second = call("redact", name, "--polygon", "0,0 0.5,0 0,0.5", "--relative", "--frames", "1:3")
    third = call("redact", name, "--picture", "--all", "--reason", "person")
    removed = call("redact", name, "--remove", "1")
    listed = call("redact", name)

    document = workplace.store_path / "recordings" / f"{name}.redactions.yaml"
    assert [result.exit_code for result in (before, added, second, third, removed, listed)] == [0] * 6
    assert before.stdout == "no redactions\n"
    assert f"written: {document}" in added.stdout
    assert "makes again: nothing that is there" in added.stdout
    assert "makes again: blurred_rgb\n" in second.stdout
    shown = f"{START_NS + 2 * STEP_NS}:{START_NS + 4 * STEP_NS}"  # message 1 gave no frame
    lines = [" ".join(line.split()) for line in listed.stdout.splitlines()[1:]]
    assert lines == [
        f"1 unspecified polygon 0,0 0.5,0 0,0.5 (relative) stamps_ns {shown} {document}",
        f"2 person picture whole recording {document}",
    ]
    assert workplace.store.recordings.ids() == (name,)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--box", "1,2,3,4"], "none of messages"),
        (["--box", "1,2,3", "--all"], "4 numbers"),
        (["--box", "1,2,x,4", "--all"], "not made of numbers"),
        (["--seconds", "1:2"], "none of box"),
        (["--box", "1,2,3,4", "--all", "--seconds", "1:2"], "exactly one"),
        (["--box", "1,2,3,4", "--all", "--reason", "Ann B."], "one lower-case word"),
        (["--polygon", "0,0 9,9 9,0 0,9", "--all"], "cross"),
        (["--remove", "1"], "none with number 1"),
        (["--remove", "1", "--box", "1,2,3,4", "--all"], "call `redact` twice"),
        (["--box", "1,2,3,4", "--messages", "1:2", "--frames", "1:2"], "give one of them"),
    ],
)
def test_a_wrong_call_changes_nothing(workplace: Workplace, arguments: list[str], words: str) -> None:
    entry = registered(workplace, scene=Scene())

    result = call("redact", entry.recording_id, *arguments)

    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(workplace.store_path.glob("recordings/*.yaml"))


def test_frames_cannot_be_named_before_there_is_a_video(workplace: Workplace) -> None:
    entry = registered(workplace, scene=Scene())

    result = call("redact", entry.recording_id, "--box", BOX, "--frames", "1:3")

    assert result.exit_code == 1
    assert "has not been published" in result.stderr
    assert call("redact", "nobody-00000000", "--box", BOX, "--all").exit_code == 1


@pytest.mark.usefixtures("face_weights")
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_the_sheet_shows_the_published_pictures_with_their_boxes(suffix: str, workplace: Workplace) -> None:
    entry = registered(workplace, scene=passing_by())
    call("redact", entry.recording_id, "--box", BOX, "--all", "--reason", "screen")
    blur(workplace, entry, CONFIG)

    result = call("faces", entry.recording_id, "--preview", f"sheet{suffix}")

    assert result.exit_code == 0, result.stderr
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[1].startswith("0 0-10 11 ")
    assert "detected 11" in lines[1]
    assert lines[2] == "1 0-10 11 120 px - redaction 11 person"
    assert lines[-1] == f"sheet of 2 of 2 tracks: sheet{suffix}"
    sheet = cv2.imread(str(workplace.folder / f"sheet{suffix}"))
    assert sheet.shape == (44 + 300 + 8 + 28, 816, 3)
    for left in (0, 408):
        x0, y0, x1, y1 = (round(value * 1.25) for value in SCREEN)
        inside = sheet[44 + y0 + 8 : 44 + y1 - 8, left + x0 + 8 : left + x1 - 8]
        assert inside.std(axis=(0, 1)).max() < 4
    blue, green, red = (sheet[:, :, channel].astype(int) for channel in range(3))
    assert ((red > 180) & (green < 110) & (blue < 110)).sum() > 100
    assert ((blue > 180) & (red < 110) & (green < 160)).sum() > 100


@pytest.mark.usefixtures("face_weights")
def test_of_a_refused_result_boxes_are_shown_and_no_picture(workplace: Workplace) -> None:
    entry = registered(workplace, scene=passing_by(black_corner=frozenset(range(FRAMES))))
    with pytest.raises(AuditFailed):
        blur(
            workplace,
            entry,
            FaceBlurConfig(g=8, max_dropped_ratio=0.5, detector=FORGETFUL, audit_rounds=0),
        )

    shown = call("faces", entry.recording_id)
    sheet = call("faces", entry.recording_id, "--preview", "sheet.png")

    assert shown.exit_code == 1
    assert "the audit found and blocks: frame 0 (message 0), box" in shown.stdout
    assert "not published: its privacy audit says 'failed'" in shown.stdout
    assert re.search("for exceptions: [0-9a-f]{64}\n", shown.stdout)
    (picture,) = re.findall("with the finds filled: (.*jpg)\n", shown.stdout)[:1]
    assert cv2.imread(picture).shape == (240, 320, 3)
    assert sheet.exit_code == 1
    assert "lies in quarantine" in sheet.stderr
    assert not (workplace.folder / "sheet.png").exists()


@pytest.mark.usefixtures("face_weights")
def test_a_sheet_of_nothing_and_one_of_an_unknown_kind_are_refused(workplace: Workplace) -> None:
    entry = registered(workplace, scene=Scene())
    assert call("faces", entry.recording_id).exit_code == 1
    blur(workplace, entry, CONFIG)

    assert "nothing is hidden" in call("faces", entry.recording_id).stdout
    assert call("faces", entry.recording_id, "--preview", "sheet.pdf").exit_code == 2
    nothing = call("faces", entry.recording_id, "--preview", "sheet.png")
    assert (nothing.exit_code, "nothing to show" in nothing.stderr) == (1, True)
    assert not np.any([path.suffix in {".png", ".pdf"} for path in workplace.folder.iterdir()])
