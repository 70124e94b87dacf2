"""The groups of annotation.hdf5: which are written, and what is said about those that are not.

How a group is laid out is told by its own module (`depth`, `streams`, `hands`, `faces`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from episode_assets.bundle import layout
from episode_assets.bundle.account import Account
from episode_assets.bundle.annotation import AnnotationFile
from episode_assets.bundle.clouds import GROUP as CLOUD
from episode_assets.bundle.clouds import accumulate, world_frame, write_cloud
from episode_assets.bundle.depth import (
    DepthCount,
    DepthPairing,
    pair_depth,
    usual_depth_shape,
    write_depth,
    write_depth_tables,
)
from episode_assets.bundle.depth_video import DepthVideo, depth_coder
from episode_assets.bundle.faces import write_privacy
from episode_assets.bundle.hands import choose_hands, write_hands
from episode_assets.bundle.inputs import Inputs, clock_word
from episode_assets.bundle.mano import MANO_SPACE, ManoWriter
from episode_assets.bundle.streams import (
    write_imu,
    write_poses,
    write_stamps,
    write_tf,
    write_tracking,
    write_trajectory,
)
from episode_assets.bundle.upper_body import GROUP as UPPER_BODY
from episode_assets.bundle.upper_body import attributes_of, read_upper_body, write_upper_body
from episode_assets.footage import OWN, DepthHoles, Intrinsics, depth_intrinsics, usable_poses
from episode_assets.outcome import Json
from episode_assets.progress import Progress
from episode_assets.recording import RecordingView
from episode_assets.video import VideoProbe


@dataclass(frozen=True)
class WrittenDepth:
    """What came of `/depth`: its pairing, what happened to its frames, and the intrinsics that hold for it."""

    pairing: DepthPairing
    count: DepthCount
    holes: DepthHoles | None
    intrinsics: Intrinsics | None


def write_depth_group(
    file: AnnotationFile, directory: Path, inputs: Inputs, account: Account, progress: Progress
) -> WrittenDepth | None:
    """Write `/depth` and, where it is asked for, its video, or say why there is none."""
    name = layout.in_annotation("depth")
    stream = inputs.raw.depth
    if stream is None or len(stream) == 0:
        account.skip(name, "no_depth_messages", "the recording has no depth")
        return None
    pairing = pair_depth(stream, inputs.frames, tolerance_s=inputs.config.depth_tolerance_s)
    shape = usual_depth_shape(stream, pairing)
    if shape is None:
        account.skip(name, "no_usable_depth", "no picture has a depth frame that is near enough and decodes")
        return None
    written = _prepared_depth(inputs, pairing, shape)
    total = int(np.sum(pairing.position >= 0))
    level = inputs.config.depth_compression
    with _depth_video(directory, inputs, shape) as video:
        also = None if video is None else video.add
        for done in write_depth(
            file, stream, pairing, inputs.frames, written.holes, written.count, level=level, also=also
        ):
            progress("depth", done, total)
        if video is not None:
            video.finish()
            file.describe("/depth", video.attributes())
            account.save(layout.DEPTH_VIDEO)
    write_depth_tables(
        file,
        stream,
        pairing,
        written.count,
        K=None if written.intrinsics is None else written.intrinsics.compact,
        K_source=None if written.intrinsics is None else written.intrinsics.source,
    )
    account.save(name)
    _note_depth(written, account)
    inputs.raw.let_go()
    return written


def _depth_video(
    directory: Path, inputs: Inputs, shape: tuple[int, int]
) -> AbstractContextManager[DepthVideo | None]:
    if not inputs.config.depth_video:
        return nullcontext()
    path = directory / layout.DEPTH_VIDEO
    return DepthVideo(path, inputs.frames, shape[0], shape[1], depth_coder(inputs.config))


def _prepared_depth(inputs: Inputs, pairing: DepthPairing, shape: tuple[int, int]) -> WrittenDepth:
    height, width = shape
    intrinsics = depth_intrinsics(inputs.raw, inputs.rgb, inputs.frames.stamp_ns, width=width, height=height)
    own = intrinsics if intrinsics is not None and intrinsics.source == OWN else None
    # What a person drew is cut out of depth whatever is said about faces.
    is_cut = inputs.config.depth_faces == "hole"
    boxes = inputs.boxes if is_cut else inputs.boxes.drawn()
    is_any = is_cut or len(boxes) > 0
    holes = DepthHoles(inputs.frames, boxes, height, width, inputs.rgb, own) if is_any else None
    count = DepthCount(np.zeros(len(inputs.frames), dtype=np.bool_), height, width)
    return WrittenDepth(pairing, count, holes, intrinsics)


def _note_depth(written: WrittenDepth, account: Account) -> None:
    pairing, count = written.pairing, written.count
    blanked = 0 if written.holes is None else written.holes.blanked
    unpaired = pairing.position < 0
    again = ~unpaired & (np.diff(pairing.position, prepend=-1) == 0)
    lost = ~unpaired & ~count.valid
    notes = {
        "depth_unpaired": (int(unpaired.sum()), "pictures without a depth frame near enough", unpaired),
        "depth_reused": (pairing.reused, "pictures share their depth frame with an earlier picture", again),
        "depth_unused": (pairing.unused, "depth frames are nearest to no picture", None),
        "depth_undecodable": (count.undecodable, "depth frames do not decode", lost),
        "depth_size_changed": (
            count.other_size,
            "pictures whose depth frame has another size than most",
            lost,
        ),
        "depth_view_unknown": (
            blanked,
            "depth frames with a face were removed whole, because their shape does not match the picture's",
            None,
        ),
    }
    for code, (number, words, where) in notes.items():
        account.note(code, f"{number} {words}", stream="depth", count=number, where=where)


def write_rgb_group(file: AnnotationFile, inputs: Inputs, video: VideoProbe, account: Account) -> None:
    """Write `/rgb`: what stands beside the video, one row per picture."""
    frames, poses = inputs.frames, inputs.poses
    write_stamps(file, "rgb", frames.stamp_ns)
    file.put("/rgb/source_index", frames.message_number)
    file.put("/rgb/frame_index", np.arange(len(frames), dtype=np.int64))
    account.save(layout.in_annotation("rgb"))
    if inputs.rgb is None:
        code = "no_camera_info" if inputs.raw.camera_info is None else "intrinsics_mismatch"
        account.skip(layout.in_annotation("rgb/K"), code, "no intrinsics are known for the pictures")
    else:
        file.put("/rgb/K", inputs.rgb.compact, units="px", valid_count=int(inputs.rgb.valid.sum()))
    if poses.valid.any():
        found = int(poses.valid.sum())
        file.put("/rgb/world_from_optical", poses.world_from_optical, units="m", valid_count=found)
        file.put("/rgb/pose_valid", poses.valid, valid_count=found)
        file.put("/rgb/pose_dt_ns", poses.dt_ns, units="ns", valid_count=found)
    R_source = inputs.raw.link_from_optical[1]
    file.describe(
        "/rgb",
        {
            "width": frames.width,
            "height": frames.height,
            "encoded_width": video.width,
            "encoded_height": video.height,
            "clock": clock_word(inputs.raw),
            "R_source": R_source,
        },
    )


def write_stream_groups(file: AnnotationFile, inputs: Inputs, account: Account) -> None:
    """Write `/cam-pose`, `/imu`, `/tracking`, `/tf` and `/trajectory`, each where the recording has it."""
    raw = inputs.raw
    _write_pose_group(file, inputs, account)
    mounted = raw.optical_from_imu
    raw.let_go()  # the frame tree, which that took
    writers: dict[str, tuple[str, Callable[[Any], None]]] = {
        "imu": ("imu_samples", lambda imu: write_imu(file, imu, mounted)),
        "tracking": ("tracking", partial(write_tracking, file)),
        "tf": ("tf", partial(write_tf, file)),
        "trajectory": ("trajectory", partial(write_trajectory, file)),
    }
    for group, (attribute, write) in writers.items():
        stream, name = getattr(raw, attribute), layout.in_annotation(group)
        if stream is None:
            account.skip(name, f"no_{group}_messages", _why_missing(group, raw))
        else:
            write(stream)
            account.save(name)
        del stream
        raw.let_go()


def _why_missing(group: str, raw: RecordingView) -> str:
    if group == "trajectory" and raw.untimed_trajectory is not None:
        return "the poses of the recording's paths have no stamps of their own"
    return f"the recording has no {group} messages"


def _write_pose_group(file: AnnotationFile, inputs: Inputs, account: Account) -> None:
    name = layout.in_annotation("cam-pose")
    if inputs.pose is None:
        account.skip(name, "no_pose_messages", "the recording has no camera poses")
        return
    write_poses(file, inputs.pose, source=inputs.pose_source)
    account.save(name)
    unusable = int(np.sum(~usable_poses(inputs.pose)))
    account.note("pose_unusable", f"{unusable} poses are not finite or unset", stream="pose", count=unusable)
    missing = ~inputs.poses.valid
    count = int(missing.sum())
    account.note(
        "pose_unpaired",
        f"{count} pictures without a pose near enough",
        stream="pose",
        count=count,
        where=missing,
    )


def write_cloud_group(file: AnnotationFile, inputs: Inputs, account: Account) -> None:
    """Write `/point-cloud`, or say why there is none."""
    name = layout.in_annotation(CLOUD)
    if not any(map(len, inputs.raw.point_clouds)):
        account.skip(name, "no_point_cloud_messages", "the recording has no point clouds")
        return
    if not inputs.config.cloud_voxel_m:
        account.skip(name, "not_asked_for", "cloud_voxel_m is 0")
        return
    grid, count = accumulate(inputs, voxel_m=inputs.config.cloud_voxel_m)
    inputs.raw.let_go()
    notes = {
        "cloud_elsewhere": (count.elsewhere, "point clouds are in another frame than the poses"),
        "cloud_undecodable": (count.undecodable, "point clouds do not decode"),
        "cloud_view_unknown": (
            count.unseen,
            "point clouds left out, since nobody knows where in them a blurred face is",
        ),
        "cloud_points_hidden": (count.hidden, "points left out, since they are seen in blurred rectangles"),
        "cloud_points_far": (count.far, "points left out, since they are too far from the origin"),
    }
    for code, (number, words) in notes.items():
        account.note(code, f"{number} {words}", stream="point_cloud", count=number)
    if len(grid.counts) == 0:
        account.skip(name, "no_usable_points", "no point cloud has points that could be placed")
        return
    write_cloud(file, grid, frame_id=world_frame(inputs), messages=count.used)
    account.save(name)


def write_hand_group(file: AnnotationFile, hands: Path | None, inputs: Inputs, account: Account) -> int:
    """Write `/hand-pose`, or say why there is none; returns the number of (picture, side) slots with a hand."""
    name = layout.in_annotation("hand-pose")
    if hands is None:
        account.skip(name, "no_hand_poses", "no hand poses were computed")
        return 0
    path = hands / "hands.parquet"
    choice = choose_hands(path, inputs.frames)
    notes = {
        "extra_hands": (choice.extra_hands, "hands left out because a surer one of the same side was there"),
        "not_wearer": (choice.not_wearer, "hands left out because they are not the wearer's"),
        "hands_without_picture": (
            choice.without_picture,
            "hands left out because their picture is not published",
        ),
    }
    for code, (number, words) in notes.items():
        account.note(code, f"{number} {words}", stream="hands", count=number)
    if choice.count == 0:
        account.skip(name, "no_hands_found", "no hand of the wearer was found in any picture")
        return 0
    mano = hands / layout.MANO
    if not mano.is_file():
        write_hands(file, path, choice, inputs.frames)
        account.save(name)
        return choice.count

    write_hands(file, path, choice, inputs.frames, also=partial(ManoWriter, file, mano, inputs.frames))
    file.describe("/hand-pose", {"mano_space": MANO_SPACE})
    account.save(name)
    account.skip(
        f"{name}/mano_vertices", "not_kept", "the vertices follow from the other numbers by MANO's own model"
    )
    return choice.count


def write_upper_body_group(
    file: AnnotationFile, hands: Path | None, inputs: Inputs, account: Account
) -> None:
    """Write `/upper-body` where the body was estimated; it is an estimate that somebody has to ask for."""
    path = None if hands is None else hands / "upper_body.parquet"
    if path is None or not path.is_file():
        return
    name = layout.in_annotation(UPPER_BODY)
    body = read_upper_body(path, inputs.frames)
    if not body.valid.any():
        account.skip(name, "no_upper_body", "no picture has a camera pose to estimate the body from")
        return
    write_upper_body(file, body, inputs.frames, attributes_of(path))
    account.save(name)


def write_metadata_group(file: AnnotationFile, inputs: Inputs, account: Account) -> None:
    """Write `/metadata`, which has attributes only; times are those of the first and last picture."""
    raw, stamps = inputs.raw, inputs.frames.stamp_ns
    start, end = int(stamps[0]), int(stamps[-1])
    counts = {
        "num_depth_frames": raw.depth,
        "num_pose_samples": inputs.pose,
    }
    imu = file.root.get("/imu/timestamps_ns")
    file.describe(
        "/metadata",
        {
            "num_rgb_frames": len(stamps),
            **{name: 0 if stream is None else len(stream.stamp_ns) for name, stream in counts.items()},
            "num_imu_samples": 0 if imu is None else len(imu),
            "duration_s": (end - start) / 1e9,
            "start_time": start / 1e9,
            "end_time": end / 1e9,
            "clock": clock_word(raw),
            **({} if raw.clock_offset_ns is None else {"clock_offset_ns": raw.clock_offset_ns}),
        },
    )
    raw.let_go()
    account.save(layout.in_annotation("metadata"))


def write_privacy_group(
    file: AnnotationFile, inputs: Inputs, privacy: Mapping[str, Json], account: Account
) -> None:
    """Write `/privacy`: the blurred rectangles and the verdict."""
    write_privacy(file, inputs.boxes, inputs.frames, privacy)
    account.save(layout.in_annotation("privacy"))
