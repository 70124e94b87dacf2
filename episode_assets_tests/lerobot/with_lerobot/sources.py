"""Compares every row with what it was made from: pictures of the bundle's video and the hand table, by own formulas."""
# ruff: noqa: T201

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq

from episode_assets_tests.lerobot.with_lerobot.opened import first_colour_camera, open_dataset

PSNR_MIN_DB = 45.0
POSITION_TOLERANCE_M = 1e-4
ROTATION_TOLERANCE = 1e-3


def check_sources(
    root: Path, bundles: dict[str, Path], hands: dict[str, Path], *, min_valid: float
) -> list[str]:
    """Compare first, middle and last picture and all valid rows of every episode.

    Args:
        root: The dataset.
        bundles: Directories of the bundles by recording.
        hands: Directories of the hand_poses artifacts by recording.
        min_valid: Share of the rows that must be valid.
    """
    provenance = json.loads((root / "meta/episode_assets.json").read_text())
    dataset = open_dataset(root)
    if dataset.num_episodes != len(provenance["episodes"]):
        return [f"LeRobot sees {dataset.num_episodes} episodes, there are {len(provenance['episodes'])}"]
    print(
        f"{'episode':>7} {'recording':<32} {'rows':>6} {'valid':>6} {'PSNR dB':>8} {'pos err m':>10} {'rot err':>9}"
    )
    failures: list[str] = []
    valid_rows = 0
    for number, episode in enumerate(provenance["episodes"]):
        recording = episode["recording_id"]
        start = int(dataset.meta.episodes[number]["dataset_from_index"])
        stop = int(dataset.meta.episodes[number]["dataset_to_index"])
        psnr = compare_pictures(dataset, bundles[recording] / "rgb.mp4", start, stop)
        rows = read_rows(root, start, stop)
        derived = derive(hands[recording] / "hands.parquet", rows)
        position, rotation, compared = compare_rows(rows, derived)
        valid = int(row_is_valid(rows, provenance["recipe"]["require_hands"]).sum())
        valid_rows += valid
        share = f"{valid / (stop - start):.0%}"
        print(
            f"{number:>7} {recording:<32} {stop - start:>6} {share:>6} {psnr:>8.1f} {position:>10.1e} {rotation:>9.1e}"
        )
        failures += [f"episode {number}: PSNR {psnr:.1f} dB"] * (psnr <= PSNR_MIN_DB)
        failures += [f"episode {number}: positions differ by {position} m"] * (
            position > POSITION_TOLERANCE_M
        )
        failures += [f"episode {number}: rotations differ by {rotation}"] * (rotation > ROTATION_TOLERANCE)
        failures += [f"episode {number}: no valid row could be compared"] * (valid > 0 and compared == 0)
    share = valid_rows / len(dataset)
    print(f"{share:.0%} of the rows are valid")
    return failures + [f"only {share:.0%} of the rows are valid"] * (share < min_valid)


def compare_pictures(dataset, video: Path, start: int, stop: int) -> float:
    """Return the lowest PSNR in dB of first, middle and last picture against the bundle's frames."""
    camera = first_colour_camera(dataset)
    lowest = 99.0
    for row in sorted({start, (start + stop) // 2, stop - 1}):
        item = dataset[row]
        seen = np.rint(item[camera].numpy().transpose(1, 2, 0) * 255.0)
        true = decode(video, int(item["source.frame_index"])).astype(np.float64)
        error = float(np.mean((seen - true) ** 2))
        lowest = min(lowest, 99.0 if error == 0 else 10 * np.log10(255.0**2 / error))
    return lowest


def decode(video: Path, wanted: int) -> np.ndarray:
    with av.open(str(video)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number == wanted:
                return frame.to_ndarray(format="rgb24")
    raise AssertionError(f"{video} has no frame {wanted}")


def read_rows(dataset_dir: Path, start: int, stop: int) -> dict[str, np.ndarray]:
    columns = [
        "index",
        "observation.state",
        "action",
        "valid.left",
        "valid.right",
        "valid.action",
        "camera.pose",
    ]
    columns += ["source.message_number", "source.timestamp_ns"]
    tables = [pq.read_table(file, columns=columns) for file in sorted(dataset_dir.glob("data/*/*.parquet"))]
    rows = {key: np.concatenate([np.array(table[key].to_pylist()) for table in tables]) for key in columns}
    inside = (rows["index"] >= start) & (rows["index"] < stop)
    return {key: values[inside] for key, values in rows.items()}


def row_is_valid(rows: dict[str, np.ndarray], required: str) -> np.ndarray:
    left, right = rows["valid.left"], rows["valid.right"]
    return {"both": left & right, "left": left, "right": right}.get(required, left | right)


def derive(table: Path, rows: dict[str, np.ndarray]) -> dict[tuple[int, int], np.ndarray]:
    """Return the wrist (9 numbers) in the episode's frame by (message number, side), from the hand table alone.

    The table holds each hand twice, in the camera and in the world; the camera pose is what maps one to the other.
    """
    hands: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}
    best: dict[tuple[int, int], float] = {}
    for row in pq.read_table(table).to_pylist():
        key = (row["message_number"], 0 if row["side"] == "left" else 1)
        both = [np.array(row[name] or [np.nan] * 63, dtype=float) for name in ("joints_cam", "joints_world")]
        usable = row["wearer"] and row["kind"] == 1 and np.isfinite(both).all()
        if usable and row["confidence"] > best.get(key, -1.0):
            best[key] = row["confidence"]
            hands[key] = (both[0].reshape(21, 3), both[1].reshape(21, 3))
    if not {number for number, _ in hands} & set(rows["source.message_number"].tolist()):
        return {}
    frame = episode_frame(hands, rows)
    return {key: wrist(frame, joints_world, key[1]) for key, (_, joints_world) in hands.items()}


def episode_frame(hands, rows) -> np.ndarray:
    """Return the 4x4 transform from the world to the frame that begins at the episode's first camera."""
    numbers = rows["source.message_number"].tolist()
    at, key = next((i, (n, s)) for i, n in enumerate(numbers) for s in (0, 1) if (n, s) in hands)
    camera_world = rigid(*hands[key])
    if at > 0:
        # No hand in the first picture: step back to the first camera along the dataset's own camera poses.
        first, here = (pose_matrix(rows["camera.pose"][i]) for i in (0, at))
        camera_world = camera_world @ np.linalg.inv(here) @ first
    forward, picture_down = camera_world[:3, 2], camera_world[:3, 1]
    if abs(forward[1]) > np.cos(np.radians(15)):
        forward = -picture_down if forward[1] < 0 else picture_down
    heading = np.arctan2(-forward[0], -forward[2])
    c, s = np.cos(heading), np.sin(heading)
    frame = np.eye(4)
    frame[:3, :3] = [[c, 0, -s], [0, 1, 0], [s, 0, c]]
    frame[:3, 3] = -frame[:3, :3] @ camera_world[:3, 3]
    return frame


def rigid(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the rigid transform that maps points (21, 3) to points (21, 3) in the least-squares sense (Kabsch)."""
    a, b = source - source.mean(0), target - target.mean(0)
    u, _, vt = np.linalg.svd(a.T @ b)
    flip = np.diag([1, 1, np.sign(np.linalg.det(vt.T @ u.T))])
    matrix = np.eye(4)
    matrix[:3, :3] = vt.T @ flip @ u.T
    matrix[:3, 3] = target.mean(0) - matrix[:3, :3] @ source.mean(0)
    return matrix


def pose_matrix(pose: np.ndarray) -> np.ndarray:
    x, y, z, w = pose[3:] / np.linalg.norm(pose[3:])
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    matrix = np.eye(4)
    matrix[:3, :3] = np.eye(3) + 2 * w * cross + 2 * cross @ cross
    matrix[:3, 3] = pose[:3]
    return matrix


def wrist(frame: np.ndarray, joints_world: np.ndarray, side: int) -> np.ndarray:
    """Return position and the first two rows of the rotation whose columns are fingers, across, back of the hand."""
    joints = joints_world @ frame[:3, :3].T + frame[:3, 3]
    fingers = joints[9] - joints[0]
    fingers = fingers / np.linalg.norm(fingers)
    back = np.cross(fingers, joints[5] - joints[17]) * (1 if side == 1 else -1)
    back = back / np.linalg.norm(back)
    rotation = np.column_stack([fingers, np.cross(back, fingers), back])
    return np.concatenate([joints[0], rotation[0], rotation[1]])


def compare_rows(rows, derived) -> tuple[float, float, int]:
    """Return the largest errors of valid states and actions, in metres and matrix elements, and how many compared."""
    errors = []
    numbers = rows["source.message_number"].tolist()
    for i, number in enumerate(numbers):
        for side, name in enumerate(("valid.left", "valid.right")):
            part = slice(9 * side, 9 * side + 9)
            if rows[name][i]:
                errors.append(rows["observation.state"][i, part] - derived[number, side])
            # The frame after an episode's last row is in the table too, under the next message number.
            following = numbers[i + 1] if i + 1 < len(numbers) else following_message(derived, number)
            if rows["valid.action"][i][side] and (following, side) in derived:
                errors.append(rows["action"][i, part] - derived[following, side])
    if not errors:
        return 0.0, 0.0, 0
    table = np.abs(np.array(errors))
    return float(table[:, :3].max()), float(table[:, 3:].max()), len(table)


def following_message(derived, number: int) -> int:
    later = [message for message, _ in derived if message > number]
    return min(later, default=-1)
