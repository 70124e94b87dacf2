"""Camera poses out of the frame tree of a recording without a pose topic."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from episode_assets.recording import RecordingView, inspect, scan_recording
from episode_assets_tests.recording import rig as ros
from episode_assets_tests.recording.rig import EPOCH_NS, IDENTITY, Rig

STEP = 50_000_000
OPTICAL = "camera_color_optical_frame"
TO_OPTICAL = (-0.5, 0.5, -0.5, 0.5)
Edge = tuple[int, str, str, Any, Any]


def _turn_z(angle: float) -> tuple[float, float, float, float]:
    return 0.0, 0.0, float(np.sin(angle / 2)), float(np.cos(angle / 2))


def _write(file: Path, static: list[Edge], moving: list[Edge], *, frames: int = 12) -> Path:
    rig = Rig(file)
    if static:
        rig.add("/tf_static", ros.tf_message(*static))
    for number in range(frames):
        rig.add("/image", ros.compressed_image(EPOCH_NS + number * STEP, ros.jpeg(number), frame=OPTICAL))
    for edge in moving:
        rig.add("/tf", ros.tf_message(edge), log_time_ns=edge[0])
    return rig.close()


def _static(stamp: int = EPOCH_NS) -> list[Edge]:
    return [
        (stamp, "base_link", "camera_link", (0.1, 0, 0), IDENTITY),
        (stamp, "camera_link", OPTICAL, (0, 0, 0), TO_OPTICAL),
    ]


def _robot(stamps: range, *, slow: range) -> list[Edge]:
    """A robot that drives along x of odom while odom itself turns in the world."""
    edges: list[Edge] = [(s, "odom", "base_link", ((s - EPOCH_NS) / 1e9, 0, 0), IDENTITY) for s in stamps]
    edges += [(s, "world", "odom", (0, 0, 1), _turn_z((s - EPOCH_NS) / 1e9)) for s in slow]
    return sorted(edges, key=lambda edge: edge[0])


def test_poses_follow_a_chain_of_moving_and_static_edges(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    fast = range(EPOCH_NS, EPOCH_NS + 20 * STEP, STEP)
    slow = range(EPOCH_NS, EPOCH_NS + 20 * STEP, 4 * STEP)
    view = view_of(_write(tmp_path / "rig.mcap", _static(), _robot(fast, slow=slow)))

    choice, pose = view.inventory.roles["pose"], view.pose

    assert choice.reason == "derived from tf: world > odom > base_link > camera_link"
    assert pose is not None
    assert (pose.source, pose.frame_id, pose.child_frame_id) == ("tf", "world", "camera_link")
    known = [s for s in fast if s <= slow[-1]]
    assert pose.stamp_ns.tolist() == known
    assert choice.left_out == len(fast) - len(known)
    assert pose.is_interpolated is not None
    assert pose.is_interpolated.tolist() == [s not in slow for s in known]
    for stamp, place, turn in zip(pose.stamp_ns, pose.translation, pose.quaternion_xyzw, strict=True):
        t = (int(stamp) - EPOCH_NS) / 1e9
        assert np.allclose(place, [(t + 0.1) * np.cos(t), (t + 0.1) * np.sin(t), 1], atol=1e-9)
        assert np.allclose(turn, _turn_z(t), atol=1e-9)
    rotation, source = view.link_from_optical
    assert source == "tf"
    assert np.allclose(rotation @ [0, 0, 1], [1, 0, 0])


def test_a_slow_edge_is_not_held_across_a_gap(tmp_path: Path, view_of: Callable[..., RecordingView]) -> None:
    fast = range(EPOCH_NS, EPOCH_NS + 20 * STEP, STEP)
    edges = [edge for edge in _robot(fast, slow=fast) if edge[1] == "odom" or edge[0] not in fast[8:14]]
    view = view_of(_write(tmp_path / "rig.mcap", _static(), edges))

    assert view.pose is not None
    assert view.pose.stamp_ns.tolist() == [*fast[:8], *fast[14:]]
    assert view.inventory.roles["pose"].left_out == 6


def test_a_pose_topic_in_a_fixed_frame_wins(tmp_path: Path, view_of: Callable[..., RecordingView]) -> None:
    view = view_of(ros.write_rig(tmp_path / "rig.mcap"))

    assert view.pose is not None
    assert (view.pose.source, view.inventory.roles["pose"].topics) == ("topic", ("/odom",))


def test_older_transforms_with_leading_slashes_name_the_same_frames(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    stamps = range(EPOCH_NS, EPOCH_NS + 5 * STEP, STEP)
    moving: list[Edge] = [(s, "/map", "/base_link", (1, 2, 3), IDENTITY) for s in stamps]
    static: list[Edge] = [(EPOCH_NS, "/base_link", "/" + OPTICAL, (0.5, 0, 0), TO_OPTICAL)]
    view = view_of(_write(tmp_path / "rig.mcap", static, moving))

    assert view.pose is not None
    assert view.pose.translation.tolist() == [[1, 2, 3]] * 5
    assert view.pose.child_frame_id == "base_link"
    assert view.link_from_optical[1] == "tf"
    assert view.optical_offset_m.tolist() == [0.5, 0, 0]


MOVING: list[Edge] = [(EPOCH_NS + n * STEP, "world", "base_link", (n, 0, 0), IDENTITY) for n in range(5)]


@pytest.mark.parametrize(
    ("static", "moving", "reason"),
    [
        (_static()[1:], MOVING, "no fixed frame (map, odom, world) above the camera"),
        ([(EPOCH_NS, "world", "somewhere", (0, 0, 0), IDENTITY)], [], "does not hold the frame"),
        (
            [*_static(), (EPOCH_NS, "gripper", "camera_link", (0, 0, 0), IDENTITY)],
            MOVING,
            "frame camera_link has several parents in the frame tree: base_link and gripper",
        ),
        (
            [*_static(), (EPOCH_NS, "camera_link", "base_link", (0, 0, 0), IDENTITY)],
            [],
            "the frame tree runs in a circle",
        ),
        (
            [*_static(), (EPOCH_NS, "world", "base_link", (0, 0, 0), IDENTITY)],
            [],
            "no edge between world and camera_color_optical_frame moves",
        ),
        (
            [(EPOCH_NS, "base_link", OPTICAL, (0, 0, 0), (0, 0, 0, 0))],
            MOVING,
            "the edge base_link > camera_color_optical_frame has no usable rotation",
        ),
    ],
)
def test_a_frame_tree_that_tells_nothing_is_named_and_gives_no_pose(
    static: list[Edge], moving: list[Edge], reason: str, tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    view = view_of(_write(tmp_path / "rig.mcap", static, moving))

    assert view.pose is None
    assert reason in view.inventory.roles["pose"].reason


def test_a_recording_says_where_its_poses_come_from(tmp_path: Path) -> None:
    stamps = range(EPOCH_NS, EPOCH_NS + 10 * STEP, STEP)
    file = _write(tmp_path / "rig.mcap", _static(), _robot(stamps, slow=stamps))
    (tmp_path / "out").mkdir()

    outcome = scan_recording(str(file), tmp_path / "out", recording_id="rec-1")

    assert "pose" in outcome.saved
    assert "pose_from_tf" in {note.code for note in outcome.warnings}
    assert inspect(str(file)).roles["pose"].topics == ()


def test_the_edges_of_a_frame_tree_come_by_stamp_and_then_as_they_were_sent(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    later, sooner = EPOCH_NS + STEP, EPOCH_NS
    edges: list[Edge] = [
        (later, "odom", "base_link", (1, 0, 0), IDENTITY),
        (sooner, "world", "odom", (2, 0, 0), IDENTITY),
        (later, "world", "odom", (3, 0, 0), IDENTITY),
        (sooner, "odom", "base_link", (4, 0, 0), IDENTITY),
        (later, "world", "odom", (5, 0, 0), IDENTITY),
    ]
    tf = view_of(_write(tmp_path / "rig.mcap", [], edges)).tf

    assert tf is not None
    assert tf.stamp_ns.tolist() == [sooner, sooner, later, later]
    assert list(zip(tf.parent, tf.child, tf.translation[:, 0].tolist(), strict=True)) == [
        ("world", "odom", 2.0),
        ("odom", "base_link", 4.0),
        ("odom", "base_link", 1.0),
        ("world", "odom", 3.0),
    ]
