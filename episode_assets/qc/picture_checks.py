"""Checks of what the lens saw, from the numbers taken before blurring. Start values come from the reference clips."""

from __future__ import annotations

import numpy as np

from episode_assets.qc.checks import Check, absent, from_ranges, with_peak
from episode_assets.qc.config import QualityConfig
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.motion_evidence import moves, turns
from episode_assets.qc.ranges import Flags, FrameRange, flags_of, runs

_MOSTLY_INVALID_RATIO = 0.2
_STILL_DIFF = 1.5
_EQUAL_DIFF = 0.02
"""Luma; what decoders differ by. Noise of a sensor alone is ten times that."""


def picture_checks(e: Evidence, config: QualityConfig) -> list[Check]:
    """Return all checks of single pictures and of their sequence."""
    black = _black(e, config)
    is_black = flags_of(list(black.ranges), len(e))
    covered, blank = _covered(e, config, is_black)
    frozen, still = _frozen(e, config, is_black)
    return [
        black,
        covered,
        blank,
        frozen,
        still,
        _blurred(e, config, is_black),
        _overexposed(e, config),
        _underexposed(e, config, is_black),
        _exposure_jump(e, config),
        _colour_cast(e, config, is_black),
        _undecodable(e),
    ]


def _black(e: Evidence, config: QualityConfig) -> Check:
    s = e.signals
    flags = (s.mean < config.black_mean_max) & (s.dark_ratio > config.black_dark_ratio_min)
    ranges = with_peak(runs(flags, at_least=config.black_frames_min), s.mean, lowest=True)
    return from_ranges(
        "black",
        "rgb",
        ranges,
        found="fail",
        seconds=e.seconds,
        note="black",
        threshold=config.black_mean_max,
        peak_unit="luma",
        is_hard=True,
    )


def _covered(e: Evidence, config: QualityConfig, is_black: Flags) -> tuple[Check, Check]:
    """Find pictures without structure: a lens that is covered, and one beside a free depth sensor that may be."""
    s = e.signals
    dim = (s.flat_tiles_ratio > config.covered_dim_flat_ratio_min) & (s.std < config.covered_std_max)
    flags = ((s.flat_tiles_ratio > config.covered_flat_ratio_min) | dim) & ~is_black
    at_least = max(1, round(config.covered_s * 1e9 / e.median_step_ns)) if e.median_step_ns else 1
    has, near = _near_by_depth(e, config)
    # A wall before or behind the finger is flat too: depth tells frame by frame where the one ends.
    covered = runs(flags & near, at_least=at_least)
    covered += [i for i in runs(flags & ~has, at_least=at_least) if _ignores_turns(e, config, i)]
    covered.sort(key=lambda item: item.first)
    # Where depth says that nothing covers the lens, hands before a bare wall are picture enough.
    bare = flags & (s.flat_tiles_ratio > config.covered_flat_ratio_min) & (s.std < config.covered_std_max)
    bare &= ~(e.left.is_measured | e.right.is_measured)
    blank = [i for i in runs(bare & has & ~near, at_least=at_least) if _ignores_turns(e, config, i)]
    return (
        from_ranges(
            "covered_lens",
            "rgb",
            with_peak(covered, s.flat_tiles_ratio),
            found="fail",
            seconds=e.seconds,
            note="without structure while something near covers the lens or the camera moves",
            threshold=config.covered_flat_ratio_min,
            peak_unit="flat tiles",
            is_hard=True,
        ),
        from_ranges(
            "blank_picture",
            "rgb",
            with_peak(blank, s.flat_tiles_ratio),
            found="warn",
            seconds=e.seconds,
            note="without structure while the camera turns, although depth is measured",
            threshold=config.covered_flat_ratio_min,
            peak_unit="flat tiles",
        ),
    )


def _near_by_depth(e: Evidence, config: QualityConfig) -> tuple[Flags, Flags]:
    """Return (F,) where there is depth, and where it sees something near, or next to nothing."""
    if e.depth is None:
        nowhere = np.zeros(len(e), np.bool_)
        return nowhere, nowhere
    is_blind = e.depth.valid_ratio < _MOSTLY_INVALID_RATIO
    return e.depth.has, e.depth.has & (is_blind | (e.depth.median_m < config.covered_depth_max_m))


def _ignores_turns(e: Evidence, config: QualityConfig, item: FrameRange) -> bool:
    """Return whether pictures stay as they are while the camera turns; before a wall even shades go by."""
    difference = e.signals.diff_previous[item.first : item.last + 1]
    return turns(e, config, item) is True and bool(np.nanmedian(difference) < _STILL_DIFF)


def _frozen(e: Evidence, config: QualityConfig, is_black: Flags) -> tuple[Check, Check]:
    """Find pictures that stand still: frozen where the camera moves, else still (a tripod is not a freeze).

    Equal pictures are frozen by any motion. Pictures that are only alike may be new ones of a slow camera: they are
    frozen by a turn alone, and where there is nothing to see, as on a bare wall, they say nothing.
    """
    s = e.signals
    repeated = np.zeros(len(e), np.bool_)
    repeated[1:] = s.payload[1:] == s.payload[:-1]
    equal = repeated | (np.nan_to_num(s.diff_previous, nan=np.inf) < _EQUAL_DIFF)
    alike = np.nan_to_num(s.diff_previous, nan=np.inf) < config.frozen_diff_max
    alike &= s.flat_tiles_ratio < config.blur_flat_max_ratio
    same = (equal | alike) & ~is_black
    frozen, still = [], []
    for item in runs(same, breaks=e.gap_before, at_least=config.frozen_frames_min):
        # The picture before the run is the one that is repeated.
        around = FrameRange(max(item.first - 1, 0), item.last)
        is_moving, is_equal = moves(e, config, around), bool(equal[item.first : item.last + 1].mean() > 0.5)
        if turns(e, config, around) or (is_moving and is_equal):
            frozen.append(item)
        elif is_moving is not False or repeated[item.first : item.last + 1].any():
            still.append(item)
    return (
        from_ranges(
            "frozen",
            "rgb",
            with_peak(frozen, s.diff_previous, lowest=True),
            found="fail",
            seconds=e.seconds,
            note="frozen while the camera moves",
            threshold=config.frozen_diff_max,
            peak_unit="luma",
            is_hard=True,
        ),
        from_ranges(
            "still_picture",
            "rgb",
            with_peak(still, s.diff_previous, lowest=True),
            found="warn",
            seconds=e.seconds,
            note="alike, and nothing proves that the camera turned meanwhile",
            threshold=config.frozen_diff_max,
            peak_unit="luma",
        ),
    )


def _blurred(e: Evidence, config: QualityConfig, is_black: Flags) -> Check:
    """Find pictures that have lost their fine detail but not their coarse: a bare wall has neither, and is sharp.

    Blur takes detail everywhere. Where most of the picture keeps its own, one finely patterned thing has left.
    """
    s, sharpness = e.signals, e.signals.laplacian_variance
    detail = sharpness / np.maximum(s.std**2, 1.0)
    tiles = s.tiles_laplacian_median
    usual, usual_detail, usual_tiles = (
        float(np.nanmedian(v)) if len(e) else 0.0 for v in (sharpness, detail, tiles)
    )
    # What walks out of the picture takes its detail along: the recording's own measure has an upper end.
    relative = min(config.blur_relative_min * usual, config.blur_relative_max)
    limit = max(config.blur_laplacian_min, relative)
    detail_limit = max(config.blur_detail_min, config.blur_detail_relative_min * usual_detail)
    tiles_limit = max(config.blur_laplacian_min, config.blur_tiles_relative_min * usual_tiles)
    # Where half of the picture is bare there is too little left to tell.
    is_judged = ~is_black & (s.flat_tiles_ratio < config.blur_flat_max_ratio)
    is_blurred = (sharpness < limit) & (detail < detail_limit) & (tiles < tiles_limit) & is_judged
    ranges = runs(is_blurred, at_least=config.blur_frames_min)
    return from_ranges(
        "blurred",
        "rgb",
        with_peak(ranges, sharpness, lowest=True),
        found="warn",
        seconds=e.seconds,
        note="blurred",
        threshold=round(limit, 1),
        peak_unit="Laplacian variance",
    )


def _overexposed(e: Evidence, config: QualityConfig) -> Check:
    bright = e.signals.bright_ratio
    ranges = with_peak(runs(bright > config.overexposed_bright_ratio_min, at_least=3), bright)
    return from_ranges(
        "overexposed",
        "rgb",
        ranges,
        found="warn",
        seconds=e.seconds,
        note="overexposed",
        threshold=config.overexposed_bright_ratio_min,
        peak_unit="bright pixels",
    )


def _underexposed(e: Evidence, config: QualityConfig, is_black: Flags) -> Check:
    median = e.signals.median
    ranges = runs((median < config.underexposed_median_max) & ~is_black, at_least=3)
    return from_ranges(
        "underexposed",
        "rgb",
        with_peak(ranges, median, lowest=True),
        found="warn",
        seconds=e.seconds,
        note="underexposed",
        threshold=config.underexposed_median_max,
        peak_unit="luma",
    )


def _exposure_jump(e: Evidence, config: QualityConfig) -> Check:
    if len(e) < 2:
        return absent("exposure_jump", "rgb", "fewer than two frames")
    change = np.zeros(len(e))
    change[1:] = np.abs(np.diff(e.signals.median))
    # Who turns the head sees something else, and the exposure need not have changed.
    change[e.gap_before | (e.gyro_rad_s > config.exposure_jump_turn_max_rad_s)] = 0
    ranges = with_peak(runs(change > config.exposure_jump_min), change)
    return from_ranges(
        "exposure_jump",
        "rgb",
        ranges,
        found="warn",
        seconds=e.seconds,
        note="much brighter or darker than the frame before",
        threshold=config.exposure_jump_min,
        peak_unit="luma",
    )


def _colour_cast(e: Evidence, config: QualityConfig, is_black: Flags) -> Check:
    """Find pictures with next to nothing of one colour: a wrong white balance, a filter, a dead channel."""
    s = e.signals
    channels = np.stack([s.red_mean, s.green_mean, s.blue_mean])
    with np.errstate(invalid="ignore", divide="ignore"):
        cast = np.ptp(channels, axis=0) / channels.mean(axis=0)
    is_lit = s.mean > config.underexposed_median_max
    flags = (np.nan_to_num(cast) > config.colour_cast_min_ratio) & is_lit & ~is_black
    at_least = max(1, round(config.colour_cast_s * 1e9 / e.median_step_ns)) if e.median_step_ns else 1
    return from_ranges(
        "colour_cast",
        "rgb",
        with_peak(runs(flags, at_least=at_least), cast),
        found="warn",
        seconds=e.seconds,
        note="with a strong cast of one colour",
        threshold=config.colour_cast_min_ratio,
        peak_unit="of the mean",
    )


def _undecodable(e: Evidence) -> Check:
    total = len(e) + len(e.dropped)
    if not e.dropped:
        return Check("undecodable", "rgb", "pass", f"all {total} pictures decode", 0.0, "pictures", 0.0)
    numbers = ", ".join(str(number) for number, _, _ in e.dropped[:10])
    return Check(
        "undecodable",
        "rgb",
        "warn",
        f"{len(e.dropped)} of {total} pictures are not in the video (messages {numbers}"
        f"{', …' if len(e.dropped) > 10 else ''})",
        float(len(e.dropped)),
        "pictures",
        0.0,
        tuple(_place_of_dropped(e)),
        note="pictures between these two frames do not decode",
    )


def _place_of_dropped(e: Evidence) -> list[FrameRange]:
    """Return the frames on either side of the messages that are not in the video, and which those are."""
    between: dict[int, list[str]] = {}
    for number, stamp_ns, reason in e.dropped:
        after = int(np.searchsorted(e.stamps_ns, stamp_ns))
        between.setdefault(after, []).append(f"message {number} ({reason})")
    return [
        FrameRange(
            max(after - 1, 0), min(after, len(e) - 1), note=f"not in the video: {', '.join(names[:5])}"
        )
        for after, names in sorted(between.items())
        if len(e)
    ]
