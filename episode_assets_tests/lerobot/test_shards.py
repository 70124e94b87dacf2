from itertools import groupby

from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.lerobot.ledger import continue_ledger
from episode_assets.lerobot.shards import MIB, FilePlace, VideoPart, place_videos

PARTS = st.lists(
    st.builds(
        VideoPart, st.integers(1, 15 * 1300), st.integers(1, 250 * MIB), st.sampled_from(["a", "a", "a", "b"])
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(parts=PARTS, chunks_size=st.sampled_from([2, 1000]))
def test_files_hold_consecutive_episodes_within_every_limit(parts, chunks_size):
    places = place_videos(parts, fps=15, limit_mib=200, chunks_size=chunks_size)

    expected = FilePlace(0, 0)
    for place, group in groupby(zip(places, parts, strict=True), key=lambda item: item[0].place):
        assert place == expected
        expected = place.following(chunks_size=chunks_size)
        members = list(group)
        first = 0
        for video, part in members:
            assert video.first_frame == first
            first += part.frames
        if len(members) > 1:
            assert first <= 1024 * 15
            assert sum(part.size for _, part in members) < 200 * MIB
        assert len({part.parameters for _, part in members}) == 1


def test_a_file_passes_1024_s_only_for_an_episode_of_its_own():
    long = VideoPart(1500 * 15, 1, "a")
    short = VideoPart(10 * 15, 1, "a")

    places = place_videos([short, long, short, short], fps=15, limit_mib=200, chunks_size=1000)

    assert [place.place.file for place in places] == [0, 1, 2, 2]


def test_file_numbers_start_anew_in_the_next_chunk():
    assert FilePlace(0, 999).following(chunks_size=1000) == FilePlace(1, 0)
    assert FilePlace(1, 2).path("data", "parquet") == "data/chunk-001/file-002.parquet"


def test_the_first_order_is_by_start_and_later_recordings_are_appended():
    first = continue_ledger((), {"b": 20, "a": 20, "c": 10})
    assert first == ("c", "a", "b")

    assert continue_ledger(first, {"a": 20, "b": 20, "c": 10, "early": 1}) == ("c", "a", "b", "early")
    assert continue_ledger(first, {"b": 5, "c": 10}) == ("c", "b")
