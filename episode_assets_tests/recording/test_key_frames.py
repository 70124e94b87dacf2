"""Where decoding may begin, against what the encoders themselves say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from episode_assets.recording.pictures.key_frames import VIDEO_FORMATS, GroupStart, group_start
from episode_assets_tests.video.moving import CODECS, moving


def starts(kind: str) -> list[GroupStart]:
    return [group_start(CODECS[kind].name, memoryview(payload.data)) for payload in moving(kind)]


@pytest.mark.parametrize("kind", CODECS)
def test_groups_start_where_the_encoder_put_key_frames(kind: str) -> None:
    assert [start != GroupStart.NONE for start in starts(kind)] == [p.is_key for p in moving(kind)]


def test_a_group_that_leans_on_the_one_before_is_open() -> None:
    openings = [start for start in starts("h265 with open groups") if start]

    assert openings[1:] == [GroupStart.OPEN] * (len(openings) - 1)
    assert set(starts("h265")) == {GroupStart.NONE, GroupStart.CLOSED}


@pytest.mark.parametrize(("kind", "parameters"), [("h264", b"\x67"), ("h265", b"\x42")])
def test_a_key_frame_without_parameter_sets_starts_nothing(kind: str, parameters: bytes) -> None:
    data = moving(kind)[0].data
    at = data.index(b"\x00\x00\x01" + parameters)
    without = data[:at] + data[data.index(b"\x00\x00\x01", at + 4) :]

    assert group_start(CODECS[kind].name, memoryview(data)) == GroupStart.CLOSED
    assert group_start(CODECS[kind].name, memoryview(without)) == GroupStart.NONE


def test_stills_stand_alone() -> None:
    assert group_start("jpeg", memoryview(b"\xff\xd8")) == GroupStart.CLOSED


@given(format_name=st.sampled_from(sorted(VIDEO_FORMATS)), data=st.binary(max_size=200))
def test_any_bytes_have_an_answer(format_name: str, data: bytes) -> None:
    assert group_start(format_name, memoryview(data)) in GroupStart


@given(kind=st.sampled_from(sorted(CODECS)), length=st.integers(0, 60))
def test_a_payload_cut_anywhere_has_an_answer(kind: str, length: int) -> None:
    data = memoryview(moving(kind)[0].data)[:length]

    assert group_start(CODECS[kind].name, data) in GroupStart
