"""Numbers of many moments as the columns of a Rerun chunk: which rows, how many instances in each.

Everything here is about shapes; paths and looks are in `rerun_names`, writing in `rerun_file`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle.rerun_names import FRAME, TIME

Number = TypeVar("Number", bound=np.generic)
Bones = Sequence[tuple[int, int]]


def whole(values: NDArray[Any], dtype: type[Number]) -> NDArray[Number]:
    """Return values that may be handed to rerun, copied where they have to be.

    Its arrow reader aborts the process, without an exception, on numbers that begin at an odd place in memory, as
    those do that were read from behind the header of a file.
    """
    return np.require(values, dtype, ("C_CONTIGUOUS", "ALIGNED"))


@dataclass(frozen=True)
class Moments:
    """When rows hold.

    Attributes:
        time_ns: (n,) int64, since the first picture; negative before it.
        frame: (n,) int64 number of the picture; None for rows that belong to no picture, as IMU samples do.
    """

    time_ns: NDArray[np.int64]
    frame: NDArray[np.int64] | None = None

    @classmethod
    def of_pictures(cls, stamps_ns: NDArray[np.int64]) -> Moments:
        """Return the moments of all pictures of a recording, by their stamps."""
        return cls(stamps_ns - stamps_ns[:1], np.arange(len(stamps_ns), dtype=np.int64))

    @classmethod
    def joined(cls, parts: Sequence[Moments]) -> Moments:
        """Return the moments of several parts of one kind, one part after another."""
        frames = [part.frame for part in parts if part.frame is not None]
        return cls(
            np.concatenate([part.time_ns for part in parts]), np.concatenate(frames) if frames else None
        )

    def __len__(self) -> int:
        return len(self.time_ns)

    def rows(self, chosen: slice | NDArray[np.integer] | NDArray[np.bool_]) -> Moments:
        """Return some of them."""
        return Moments(self.time_ns[chosen], None if self.frame is None else self.frame[chosen])

    def columns(self) -> list[Any]:
        """Return them as the time columns of a chunk."""
        import rerun as rr

        columns = [rr.TimeColumn(TIME, duration=self.time_ns.astype("timedelta64[ns]"))]
        if self.frame is not None:
            columns.append(rr.TimeColumn(FRAME, sequence=whole(self.frame, np.int64)))
        return columns


@dataclass(frozen=True)
class Skeletons:
    """The joints and bones that are known at some of n moments.

    Attributes:
        is_present: (n,) bool, any joint is known.
        joints: (m, D) float32, those of all present moments one after another.
        joint_counts: Joints of each present moment.
        bones: (s, 2, D) float32 from joint to joint, likewise; only bones with both joints known.
        bone_counts: Bones of each present moment.
    """

    is_present: NDArray[np.bool_]
    joints: NDArray[np.float32]
    joint_counts: NDArray[np.int64]
    bones: NDArray[np.float32]
    bone_counts: NDArray[np.int64]

    @classmethod
    def of(cls, joints: NDArray[np.floating], bones: Bones) -> Skeletons:
        """Take apart (n, J, D) joints, NaN where unknown."""
        is_known = np.isfinite(joints).all(axis=2)
        is_present = is_known.any(axis=1)
        shown, known = np.asarray(joints[is_present], np.float32), is_known[is_present]
        pairs = np.asarray(bones, dtype=np.int64)
        is_bone = known[:, pairs].all(axis=2)
        return cls(is_present, shown[known], known.sum(axis=1), shown[:, pairs][is_bone], is_bone.sum(axis=1))


def ends(is_present: NDArray[np.bool_], *, was_present: bool) -> NDArray[np.intp]:
    """Return the moments at which something that was there is there no more."""
    before = np.concatenate([[was_present], is_present[:-1]])
    return np.flatnonzero(before & ~is_present)


def changes(values: NDArray[np.integer]) -> NDArray[np.intp]:
    """Return the first row and every row that differs from the one before."""
    return np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]])[: len(values)])
