from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from episode_assets.errors import BadConfig
from episode_assets.video import (
    DecoderCache,
    RGBEncoderConfig,
    UndecodableVideo,
    decode_at,
    encode_frames,
    iterate_at,
)
from episode_assets.video.decoder_cache import SIZE_VARIABLES
from episode_assets_tests.video.builders import number_in, numbered_picture


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    for first in range(5):
        pictures = [numbered_picture(number) for number in range(first * 10, first * 10 + 10)]
        encode_frames(pictures, folder / f"{first}.mp4", RGBEncoderConfig(), fps=10)
    return [folder / f"{first}.mp4" for first in range(5)]


def open_files(path: Path) -> int:
    """How often this process holds the file open."""
    held = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            held += descriptor.readlink() == path
        except OSError:
            continue
    return held


def number_at(path, time, cache):
    return number_in(decode_at(path, [time], cache=cache)[0][:, :, 1])


def test_what_was_used_longest_ago_is_closed(paths):
    cache = DecoderCache(2)
    for index in (0, 1, 0, 2):
        assert number_at(paths[index], 0.3, cache) == index * 10 + 3

    assert [path in cache for path in paths] == [True, False, True, False, False]
    assert [open_files(path) for path in paths] == [1, 0, 1, 0, 0]
    assert (cache.size(), cache.hits, cache.misses) == (2, 1, 3)


def test_returning_a_second_decoder_counts_as_use(paths):
    cache = DecoderCache(3)
    with cache.lease(paths[0]):
        with cache.lease(paths[0]):
            pass
        number_at(paths[1], 0.0, cache)
    with cache.lease(paths[2]):
        assert [path in cache for path in paths[:3]] == [True, False, True]


def test_clearing_closes_every_file(paths):
    cache = DecoderCache(None)
    for path in paths:
        number_at(path, 0.0, cache)
    assert cache.size() == 5

    cache.clear()

    assert cache.size() == 0 and paths[0] not in cache
    assert sum(map(open_files, paths)) == 0


def test_a_cache_that_goes_closes_its_files(paths):
    cache = DecoderCache()
    number_at(paths[0], 0.0, cache)

    del cache
    gc.collect()

    assert open_files(paths[0]) == 0


def test_a_decoder_in_use_is_not_closed(paths):
    cache = DecoderCache(1)
    with ExitStack() as stack:
        decoders = [stack.enter_context(cache.lease(path)) for path in paths[:3]]
        cache.clear()
        assert cache.size() == 3
        for index, decoder in enumerate(decoders):
            assert [number for number, _ in decoder.frames([3, 7])] == [3, 7]
            assert open_files(paths[index]) == 1

    assert cache.size() == 1
    assert sum(map(open_files, paths)) == 1


def test_asking_while_iterating_disturbs_nothing(paths):
    cache = DecoderCache(1)
    seen = []
    for position, picture in iterate_at(paths[0], [0.0, 0.2, 0.9], cache=cache):
        assert number_at(paths[0], 0.5, cache) == 5
        seen.append((position, number_in(picture[:, :, 1])))

    assert seen == [(0, 0), (1, 2), (2, 9)]


def test_threads_share_one_cache(paths):
    cache, wrong = DecoderCache(2), []

    def ask(seed):
        chance = np.random.default_rng(seed)
        for _ in range(25):
            index, frame = chance.integers(5), chance.integers(10)
            if number_at(paths[index], frame / 10, cache) != index * 10 + frame:
                wrong.append((index, frame))

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert cache.hits + cache.misses == 100
    assert cache.size() <= 2
    assert sum(map(open_files, paths)) == cache.size()


def test_a_forked_process_begins_empty_and_leaves_the_parent_alone(paths):
    names = ", ".join(f"Path({str(path)!r})" for path in paths)
    script = f"from {__name__} import *; fork_with_a_lease([{names}])"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def fork_with_a_lease(paths):
    """Fork where a decoder is lent; in a process of its own, since a fork of many threads may hang."""
    cache = DecoderCache(3)
    number_at(paths[0], 0.0, cache)
    with ExitStack() as stack:
        leased = stack.enter_context(cache.lease(paths[1]))
        child = os.fork()
        if child == 0:
            status = 1
            try:
                is_empty = cache.size() == 0 and open_files(paths[0]) == 0
                stack.close()  # gives back what belongs to the parent
                is_empty &= cache.size() == 0 and paths[1] not in cache
                status = 0 if is_empty and number_at(paths[0], 0.9, cache) == 9 else 1
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert [number for number, _ in leased.frames()] == list(range(10))

    assert cache.size() == 2
    assert number_at(paths[0], 0.4, cache) == 4


def test_a_copy_for_another_process_is_empty(paths):
    cache = DecoderCache(7)
    number_at(paths[0], 0.0, cache)

    copy = pickle.loads(pickle.dumps(cache))

    assert (copy.max_size, copy.size()) == (7, 0)


def test_a_replaced_video_is_opened_again(tmp_path):
    cache, path = DecoderCache(3), tmp_path / "v.mp4"
    for number in (3, 12):
        encode_frames([numbered_picture(number)], path, RGBEncoderConfig(), fps=10)
        assert number_at(path, 0.0, cache) == number

    assert cache.size() == 1


def test_a_video_that_does_not_open_is_not_kept(tmp_path):
    cache = DecoderCache(3)
    (tmp_path / "words.mp4").write_bytes(b"words" * 100)
    for name in ("words.mp4", "nothing.mp4"):
        with pytest.raises(UndecodableVideo, match=name):
            decode_at(tmp_path / name, [0.0], cache=cache)

    assert cache.size() == 0


@pytest.mark.parametrize("name", SIZE_VARIABLES)
@pytest.mark.parametrize(
    ("text", "size"), [("7", 7), (" 12 ", 12), ("", None), ("none", None), ("Unbounded", None), ("-1", None)]
)
def test_the_environment_names_the_size(monkeypatch, name, text, size):
    for variable in SIZE_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    assert DecoderCache().max_size == 100

    monkeypatch.setenv(name, text)

    assert DecoderCache().max_size == size
    assert DecoderCache(3).max_size == 3


def test_our_own_variable_comes_before_lerobots(monkeypatch):
    monkeypatch.setenv(SIZE_VARIABLES[0], "5")
    monkeypatch.setenv(SIZE_VARIABLES[1], "6")

    assert DecoderCache().max_size == 5


@pytest.mark.parametrize("text", ["0", "-2", "many", "1.5"])
def test_a_size_that_cannot_be_is_refused_by_name(monkeypatch, text):
    monkeypatch.setenv(SIZE_VARIABLES[0], text)
    with pytest.raises(BadConfig, match=SIZE_VARIABLES[0]):
        DecoderCache()


@pytest.mark.parametrize("size", [0, -1, True, 1.5, "7"])
def test_a_size_argument_that_cannot_be_is_refused(size):
    with pytest.raises(ValueError, match="max_size"):
        DecoderCache(size)
