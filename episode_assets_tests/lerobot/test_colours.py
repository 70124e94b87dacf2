import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.errors import ArtifactDamaged
from episode_assets.lerobot.colours import sum_histograms
from episode_assets.lerobot.cuts import Span

FRAMES = 40


def written(folder, numbers, counts):
    """Write a table of histograms with the messages in the order given."""
    columns = {"message_number": pa.array(numbers)}
    for channel, name in enumerate(("hist_r", "hist_g", "hist_b")):
        flat = pa.array(counts[:, channel].reshape(-1), pa.int32())
        columns[name] = pa.FixedSizeListArray.from_arrays(flat, 256)
    pq.write_table(pa.table(columns), folder / "rgb_stats.parquet", row_group_size=7)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_episode_has_the_counts_of_its_own_frames(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("blurred")
    edges = sorted(data.draw(st.sets(st.integers(0, FRAMES), min_size=2, max_size=8)))
    spans = [Span(a, b) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    order = np.array(data.draw(st.permutations(range(FRAMES))))
    numbers = 100 + 3 * np.arange(FRAMES, dtype=np.int64)
    counts = np.random.default_rng(len(edges)).integers(0, 2**20, (FRAMES, 3, 256))
    written(folder, numbers[order], counts[order])

    found = sum_histograms(folder, numbers, spans)

    expected = [counts[span.start : span.stop].sum(axis=0) for span in spans]
    np.testing.assert_array_equal(found, expected)


def test_a_frame_without_counts_is_an_error(tmp_path):
    numbers = np.arange(FRAMES, dtype=np.int64)
    written(tmp_path, numbers[:-1], np.ones((FRAMES - 1, 3, 256), int))

    with pytest.raises(ArtifactDamaged, match="39 of 40 frames have a colour histogram"):
        sum_histograms(tmp_path, numbers, [Span(0, FRAMES)])
