import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.lerobot.statistics import (
    QUANTILES,
    colour_statistics,
    column_statistics,
    level_quantile,
)

WORDS = list(QUANTILES)


def test_statistics_are_those_of_the_valid_rows():
    generator = np.random.default_rng(1)
    values = generator.normal(size=(200, 3)).astype(np.float32)
    valid = generator.random((200, 3)) < 0.5
    values[~valid] = 1e6

    found = column_statistics(values, valid)

    for i in range(3):
        true = values[valid[:, i], i].astype(np.float64)
        assert found["min"][i] == true.min() and found["max"][i] == true.max()
        np.testing.assert_allclose(found["mean"][i], true.mean(), rtol=1e-12)
        np.testing.assert_allclose(found["std"][i], true.std(), rtol=1e-12)
        np.testing.assert_allclose([found[w][i] for w in WORDS], np.quantile(true, list(QUANTILES.values())))
    assert found["count"] == [int(valid.any(axis=1).sum())]


def test_a_never_valid_element_gets_its_constant_fill():
    found = column_statistics(np.full((5, 1), 0.25), np.zeros((5, 1), bool))

    assert found["min"] == found["max"] == found["mean"] == found["q50"] == [0.25]
    assert found["std"] == [0.0] and found["count"] == [0]


def test_stamps_keep_their_spread_although_they_exceed_float64():
    stamps = 1_790_000_000_000_000_000 + np.arange(1000, dtype=np.int64)

    found = column_statistics(stamps, np.ones((1000, 1), bool))

    np.testing.assert_allclose(found["std"], np.arange(1000).std(), rtol=1e-12)


def test_flags_count_as_zero_and_one():
    found = column_statistics(np.array([True, False, True, True]), np.ones((4, 1), bool))

    assert found["mean"] == [0.75] and found["min"] == [0.0] and found["max"] == [1.0]


def test_one_row_is_every_quantile():
    found = column_statistics(np.array([[2.5]]), np.ones((1, 1), bool))

    assert all(found[word] == [2.5] for word in WORDS)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(0, 255), min_size=1, max_size=200),
    st.sampled_from([0.0, 0.01, 0.1, 0.5, 0.9, 0.99, 1.0]),
)
def test_a_quantile_of_counts_is_that_of_the_values(values, q):
    counts = np.bincount(values, minlength=256)

    np.testing.assert_allclose(level_quantile(counts, np.arange(256.0), q), np.quantile(values, q), atol=1e-9)


def test_pictures_are_described_per_channel_between_zero_and_one():
    pixels = np.random.default_rng(2).integers(0, 256, size=(3, 500))
    histogram = np.stack([np.bincount(channel, minlength=256) for channel in pixels])

    found = colour_statistics(histogram, frames=7)

    assert np.array(found["mean"]).shape == (3, 1, 1)
    np.testing.assert_allclose(np.array(found["mean"])[:, 0, 0], pixels.mean(axis=1) / 255)
    np.testing.assert_allclose(np.array(found["std"])[:, 0, 0], pixels.std(axis=1) / 255)
    assert found["count"] == [7]
