"""Whether gyro or poses prove that the camera moved, for checks of pictures and of depth that stand still."""

from __future__ import annotations

import numpy as np

from episode_assets.qc.config import QualityConfig
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.ranges import FrameRange


def moves(e: Evidence, config: QualityConfig, item: FrameRange) -> bool | None:
    """Return whether gyro or pose prove motion in a range, None where neither is known."""
    gyro = e.gyro_rad_s[item.first : item.last + 1]
    position = e.camera_position_m[item.first : item.last + 1]
    position = position[np.isfinite(position).all(axis=1)]
    known = [value for value in (np.isfinite(gyro).any(), len(position) > 1) if value]
    if not known:
        return None
    turns = bool(np.isfinite(gyro).any() and np.nanpercentile(gyro, 75) > config.moving_gyro_rad_s)
    travels = bool(len(position) > 1 and np.ptp(position, axis=0).max() > config.moving_pose_m)
    return turns or travels
