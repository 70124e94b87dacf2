import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.lerobot.exact_quantiles import statistics_of_batches
from episode_assets.lerobot.statistics import NAMES, column_statistics

KINDS = {
    "float32": st.floats(-1e6, 1e6, width=32),
    "float64": st.floats(-1e12, 1e12),
    "int64": st.integers(1_700_000_000_000_000_000, 1_700_000_000_000_100_000),
    "bool": st.booleans(),
}


@settings(max_examples=40, deadline=None)
@given(data=st.data(), kind=st.sampled_from(sorted(KINDS)), size=st.integers(1, 7))
def test_counting_digits_finds_what_sorting_finds(data, kind, size):
    """Both ways have to agree on every value, sign, tie and mask, wherever the batches end."""
    rows = data.draw(st.lists(st.tuples(KINDS[kind], KINDS[kind]), min_size=1, max_size=40))
    values = np.array(rows, dtype=kind)
    valid = np.array(data.draw(st.lists(st.booleans(), min_size=values.size, max_size=values.size)))
    valid = valid.reshape(values.shape)

    def batches():
        for first in range(0, len(values), size):
            yield values[first : first + size], valid[first : first + size]

    found, counts = statistics_of_batches(batches, rows_in_memory=0)

    expected = column_statistics(values, valid)
    assert counts == valid.sum(axis=0).tolist()
    assert found["count"] == expected["count"]
    for name in NAMES:
        np.testing.assert_allclose(
            found[name], expected[name], rtol=1e-9, atol=1e-6 if name == "std" else 1e-9
        )


def test_a_column_wider_than_one_pass_is_counted_whole():
    rng = np.random.default_rng(5)
    values = rng.normal(size=(500, 70)).astype(np.float32)
    valid = np.ones(values.shape, dtype=bool)

    found, _ = statistics_of_batches(
        lambda: iter([(values[:300], valid[:300]), (values[300:], valid[300:])]), rows_in_memory=9
    )

    assert found["q90"] == pytest.approx(np.quantile(values.astype(float), 0.9, axis=0), abs=1e-12)
