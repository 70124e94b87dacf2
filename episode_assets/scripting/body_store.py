"""Upper bodies that a script hands in, kept on the disk until they are written; the last of a frame counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import BadConfig

_ROWS_IN_MEMORY = 4096
BODY_JOINTS = 10


class BodyStore:
    """Joints (10, 3) by frame.

    Args:
        directory: Private directory; is made when it is needed.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._rows: list[tuple[int, NDArray[np.float32]]] = []
        self._frames: set[int] = set()
        self._parts = 0

    def __len__(self) -> int:
        """Return how many frames have a body."""
        return len(self._frames)

    def put(self, frame: int, joints: NDArray[np.floating]) -> None:
        """Take the body of a frame: (10, 3) metres in the world, NaN where unknown.

        Raises:
            BadConfig: It has another shape, or is not of numbers; nothing was taken.
        """
        self._rows.append((frame, _checked(frame, joints)))
        self._frames.add(frame)
        if len(self._rows) >= _ROWS_IN_MEMORY:
            self._put_down()

    def arrays(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return frames (N,), increasing, and joints (N, 10, 3)."""
        self._put_down()
        parts = [np.load(self._path(number)) for number in range(self._parts)]
        frame = np.concatenate([np.zeros(0, np.int64), *(part["frame"] for part in parts)])
        joints = np.concatenate(
            [np.zeros((0, BODY_JOINTS, 3), np.float32), *(part["joints"] for part in parts)]
        )
        # Of a frame that was given twice the last one counts.
        frames, last = np.unique(frame[::-1], return_index=True)
        return frames, joints[::-1][last]

    def _put_down(self) -> None:
        if not self._rows:
            return
        self._directory.mkdir(mode=0o700, exist_ok=True)
        frames, joints = zip(*self._rows, strict=True)
        np.savez(self._path(self._parts), frame=np.array(frames, np.int64), joints=np.stack(joints))
        self._rows, self._parts = [], self._parts + 1

    def _path(self, number: int) -> Path:
        return self._directory / f"bodies{number:06d}.npz"


def _checked(frame: int, joints: NDArray[np.floating]) -> NDArray[np.float32]:
    shape = np.shape(joints)
    try:
        body = np.array(joints, np.float32)
    except (TypeError, ValueError) as error:
        raise BadConfig(f"the body of frame {frame} is not of numbers: {error}", where="bodies") from error
    if body.shape != (BODY_JOINTS, 3):
        raise BadConfig(
            f"the body of frame {frame} has shape {shape}, ({BODY_JOINTS}, 3) is one body",
            where="bodies",
            remedy="give the joints of a SkeletonFrame, NaN where one is unknown",
        )
    return body
