"""A table of MANO numbers that is not whole is named before a line of it is written."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from episode_assets.bundle.mano import copy_mano
from episode_assets.errors import ArtifactDamaged
from episode_assets.footage import read_frame_table
from episode_assets.hands.tables import MANO_SCHEMA
from episode_assets_tests.bundle.recordings import Scene, write_blurred


@pytest.mark.parametrize("column", ["message_number", "frame_index", "track", "hand_pose"])
def test_missing_columns_are_named(column: str, tmp_path: Path) -> None:
    frames = read_frame_table(write_blurred(tmp_path / "blurred", Scene()) / "frames.parquet")
    whole = MANO_SCHEMA.empty_table()
    pq.write_table(whole, tmp_path / "whole.parquet")
    pq.write_table(whole.drop([column]), tmp_path / "mano.parquet")

    assert copy_mano(tmp_path / "whole.parquet", frames, tmp_path / "copy.parquet") == 0
    with pytest.raises(ArtifactDamaged, match=rf"columns \['{column}'\] are missing.*mano\.parquet"):
        copy_mano(tmp_path / "mano.parquet", frames, tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


def test_what_is_no_table_is_damage_too(tmp_path: Path) -> None:
    frames = read_frame_table(write_blurred(tmp_path / "blurred", Scene()) / "frames.parquet")
    (tmp_path / "mano.parquet").write_bytes(b"PAR1 no table")

    with pytest.raises(ArtifactDamaged, match=r"cannot be read.*mano\.parquet"):
        copy_mano(tmp_path / "mano.parquet", frames, tmp_path / "out.parquet")
