from __future__ import annotations

import hashlib
import os
from pathlib import Path

import fsspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.errors import BadRecording
from episode_assets.recording.containers.read_ahead import WINDOW_BYTES, ReadAhead
from episode_assets.recording.containers.source import EndOfBytes, ForwardReader, Source, merge_ranges

SIZE = 300_000
CONTENT = hashlib.shake_128(b"recording").digest(SIZE)
RANGES = st.lists(st.tuples(st.integers(0, SIZE + 10), st.integers(0, 70_000)), max_size=20)


@pytest.fixture(scope="module", params=["local", "file", "memory"])
def uri(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "memory":
        with fsspec.open("memory://test_source/content", "wb") as file:
            file.write(CONTENT)
        return "memory://test_source/content"
    path = tmp_path_factory.mktemp("source") / "con tent"
    path.write_bytes(CONTENT)
    return path.as_uri() if request.param == "file" else str(path)


@given(ranges=RANGES)
@settings(max_examples=60, deadline=None)
def test_ranges_are_the_slices_of_the_file(uri: str, ranges: list[tuple[int, int]]) -> None:
    with Source(uri) as source:
        assert source.read_ranges(ranges) == [CONTENT[at : at + length] for at, length in ranges]
        assert [source.read_at(at, length) for at, length in ranges] == source.read_ranges(ranges)


@given(ranges=RANGES)
def test_merged_ranges_cover_what_was_asked_and_little_more(ranges: list[tuple[int, int]]) -> None:
    merged = merge_ranges(ranges)
    assert merged == sorted(merged)
    for at, length in ranges:
        assert not length or any(start <= at and at + length <= start + covered for start, covered in merged)
    ends = [start + covered for start, covered in merged[:-1]]
    assert all(start - end > 1 << 12 for (start, _), end in zip(merged[1:], ends, strict=True))


def test_ranges_beyond_the_largest_block_stay_apart() -> None:
    step = 6 << 20
    assert merge_ranges([(0, step), (step, step)]) == [(0, step), (step, step)]
    assert merge_ranges([(0, step), (step, 1 << 20)]) == [(0, step + (1 << 20))]


@given(
    expected=RANGES,
    asked=st.lists(st.integers(0, 19), max_size=30),
)
@settings(max_examples=60, deadline=None)
def test_reading_in_another_order_than_announced_gives_the_same_bytes(
    uri: str, expected: list[tuple[int, int]], asked: list[int]
) -> None:
    with Source(uri) as source:
        source.expect(expected)
        for index in asked:
            at, length = expected[index % len(expected)] if expected else (7, 9)
            assert source.read_at(at, length) == CONTENT[at : at + length]


def test_no_more_than_two_windows_are_asked_for_ahead() -> None:
    third = WINDOW_BYTES // 3 + 1
    announced, fetched = [(number * third, third) for number in range(30)], list[tuple[int, int]]()

    def fetch(ranges: object) -> list[bytes]:
        fetched.extend(ranges)  # type: ignore[call-overload]
        return [b""] * len(list(ranges))  # type: ignore[call-overload]

    ahead = ReadAhead(fetch, iter(announced))
    assert ahead.take(announced[0]) == b""
    ahead.close()
    assert len(fetched) <= 6
    assert fetched == announced[: len(fetched)]


@given(lengths=st.lists(st.integers(0, 90_000), max_size=12))
@settings(max_examples=40, deadline=None)
def test_one_pass_reads_each_byte_once_and_digests_it(uri: str, lengths: list[int]) -> None:
    with Source(uri) as source:
        reader, at = ForwardReader(source), 0
        for length in lengths:
            if at + length > SIZE:
                with pytest.raises(EndOfBytes):
                    reader.take(length)
                continue
            assert reader.take(length) == CONTENT[at : at + length]
            at += length
        assert reader.sha256() == hashlib.sha256(CONTENT).hexdigest()
        assert source.bytes_read == SIZE


@pytest.mark.parametrize(
    "address", ["memory://nothing/here", "/no/such/file.mcap", "nonsense://x", "file:///no/such/file"]
)
def test_what_cannot_be_opened_is_named(address: str) -> None:
    with pytest.raises(BadRecording, match=r"no such|cannot be opened"):
        Source(address)


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadRecording, match="not a regular file"):
        Source(str(tmp_path))


@pytest.mark.timeout(10)
def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(BadRecording, match="not a regular file"):
        Source(str(tmp_path / "pipe"))


@given(lengths=st.lists(st.integers(1, 200_000), min_size=5, max_size=40), kept=st.sets(st.integers(0, 39)))
@settings(max_examples=40, deadline=None)
def test_what_a_pass_hands_out_stays_as_long_as_somebody_holds_it(
    long_file: Path, lengths: list[int], kept: set[int]
) -> None:
    content, views, at = long_file.read_bytes(), list[tuple[int, memoryview]](), 0
    with Source(str(long_file)) as source:
        reader = ForwardReader(source)
        for number, length in enumerate(lengths):
            view = reader.take(length)
            if number in kept:
                views.append((at, view))
            del view
            at += length
        assert all(view == content[start : start + len(view)] for start, view in views)


@pytest.fixture(scope="module")
def long_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "content"
    path.write_bytes(hashlib.shake_128(b"long").digest(8_000_001))
    return path
