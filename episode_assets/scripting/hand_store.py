"""Hands that a script hands in, kept on the disk until they are written: memory does not grow with the recording.

Only numbers lie there. The last hands that are given for a frame count.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.errors import BadConfig
from episode_assets.scripting.hand_pose import HandPose, hand_of, joints_of

_ROWS_IN_MEMORY = 4096
_SCHEMA = pa.schema(
    [
        ("frame", pa.int64()),
        ("call", pa.int64()),
        ("is_right", pa.bool_()),
        ("confidence", pa.float32()),
        ("backend", pa.string()),
        ("joints", pa.list_(pa.float32(), 63)),
        ("joints_px", pa.list_(pa.float32(), 42)),
    ]
)
NOT_KEPT = (
    "mano_vertices",
    "mano_global_orient",
    "mano_hand_pose",
    "mano_betas",
    "pred_cam",
    "pred_cam_t",
    "cam_t",
    "focal_length",
)
"""What trackers of the MANO family attach to a hand, with a line before the name, and what is not stored.

Nothing tells whether the numbers of left hands are mirrored, or in which crop the camera is theirs.
"""

_NO_PIXELS = np.full(42, np.nan, np.float32)


class HandStore:
    """Hands by frame.

    Args:
        directory: Private directory; is made when it is needed.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._rows: list[tuple[int, int, bool, float, str, NDArray[np.float32], NDArray[np.float32]]] = []
        self._last_call: dict[int, int] = {}
        self._not_kept: dict[int, tuple[str, ...]] = {}
        self._calls = 0
        self._parts = 0

    def __len__(self) -> int:
        """Return for how many frames hands were given, frames without any included."""
        return len(self._last_call)

    def __contains__(self, frame: int) -> bool:
        return frame in self._last_call

    def put(self, frame: int, hands: Sequence[HandPose] | None) -> None:
        """Take the hands of a frame in place of those that were given before.

        Raises:
            BadConfig: They are no hands, or one has another number of points, or no known side; nothing was taken.
        """
        self._calls += 1
        try:
            given = [] if hands is None else list(hands)
            rows = [_row(frame, self._calls, hand) for hand in given]
        except BadConfig:
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BadConfig(
                f"what was given for frame {frame} is no list of hands ({error})",
                where="hands",
                remedy="give a list of HandPose, empty where no hand is seen",
            ) from error
        self._last_call[frame] = self._calls
        self._not_kept[frame] = tuple(name for name in NOT_KEPT if any(_has(hand, name) for hand in given))
        self._rows += rows
        if len(self._rows) >= _ROWS_IN_MEMORY:
            self._put_down()

    @property
    def not_kept(self) -> tuple[str, ...]:
        """Names of `NOT_KEPT` that hands which count have brought."""
        brought = set().union(*self._not_kept.values())
        return tuple(name for name in NOT_KEPT if name in brought)

    def table(self) -> pa.Table:
        """Return the hands that count, ordered by frame; of a side the surest."""
        self._put_down()
        parts = [pq.read_table(self._path(number)) for number in range(self._parts)]
        table = pa.concat_tables([_SCHEMA.empty_table(), *parts])
        frame, call = table["frame"].to_numpy(), table["call"].to_numpy()
        counts = np.array([self._last_call[at] == by for at, by in zip(frame, call, strict=True)], bool)
        table = table.filter(pa.array(counts))
        side = table["is_right"].to_numpy(zero_copy_only=False)
        order = np.lexsort((-table["confidence"].to_numpy(), side, table["frame"].to_numpy()))
        return table.take(pa.array(order))

    def by_frame(self) -> dict[int, list[HandPose]]:
        """Return all hands that count, by frame."""
        hands: dict[int, list[HandPose]] = {frame: [] for frame in sorted(self._last_call)}
        for row in self.table().to_pylist():
            hands[row["frame"]].append(
                hand_of(
                    np.array(row["joints"], np.float64).reshape(21, 3),
                    side="right" if row["is_right"] else "left",
                    confidence=row["confidence"],
                    frame_index=row["frame"],
                    joints_px=np.array(row["joints_px"], np.float64).reshape(21, 2),
                    backend=row["backend"],
                )
            )
        return hands

    def _put_down(self) -> None:
        if not self._rows:
            return
        self._directory.mkdir(mode=0o700, exist_ok=True)
        columns = list(zip(*self._rows, strict=True))
        lists = {5: 63, 6: 42}
        arrays = [
            pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate(column)), lists[number])
            if number in lists
            else pa.array(column, _SCHEMA.field(number).type)
            for number, column in enumerate(columns)
        ]
        pq.write_table(pa.Table.from_arrays(arrays, schema=_SCHEMA), self._path(self._parts))
        self._rows, self._parts = [], self._parts + 1

    def _path(self, number: int) -> Path:
        return self._directory / f"hands{number:06d}.parquet"


def _has(hand: object, name: str) -> bool:
    return getattr(hand, f"_{name}", None) is not None


def _row(
    frame: int, call: int, hand: HandPose
) -> tuple[int, int, bool, float, str, NDArray[np.float32], NDArray[np.float32]]:
    joints = joints_of(hand).astype(np.float32).ravel()
    pixels = _NO_PIXELS
    given = getattr(hand, "_kpts_2d_rgb", None)
    if given is not None:
        pixels = np.asarray(given, np.float32).ravel()
        if pixels.shape != _NO_PIXELS.shape:
            raise BadConfig(
                f"_kpts_2d_rgb of frame {frame} has shape {np.shape(given)}, (21, 2) is one hand",
                where="hands",
            )
    backend = str(getattr(hand, "_backend", None) or "given")
    return frame, call, hand.hand_side == "right", float(hand.confidence), backend, joints, pixels
