"""How pictures stand to gravity: by poses in worlds of either convention, by an accelerometer, or not at all."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation  # noqa: TID253  # an independent word on rotations

from episode_assets.demo import DemoConfig, write_demo
from episode_assets.recording.attitude import Rig, find_attitude
from episode_assets.recording.felt_gravity import felt_up
from episode_assets.recording.frames import BODY_ROTATION, PHONE_ROTATION, Edge
from episode_assets.recording.inventory import LinkFromOptical
from episode_assets.recording.streams import ImuStream, PoseStream
from episode_assets.recording.world_up import measured_up
from episode_assets_tests.recording import rig as ros
from episode_assets_tests.recording.rig import Rig as RecordedRig

S = 1_000_000_000
CALM_RAD = 0.12
"""More than the head of a demo recording ever tilts."""
SMALL = {"width": 64, "height": 48, "with_hands": False, "with_face": False, "with_depth": False}


def wrapped(angle):
    return (angle + np.pi) % (2 * np.pi) - np.pi


def demo_view(view_of, folder, **options):
    path = folder / "demo.mcap"
    truth = write_demo(path, config=DemoConfig(**{"seconds": 2, **SMALL, **options}))
    return view_of(path), truth


def true_roll(truth):
    """From the columns of the truth: where world +Y points in each picture."""
    up = truth.world_from_optical[0][:, 1, :]
    return np.arctan2(up[:, 0], -up[:, 1])


@pytest.mark.parametrize("degrees", [0, 45, 90, 180, 270])
def test_poses_tell_the_roll_of_a_rolled_phone(view_of, tmp_path, degrees):
    view, truth = demo_view(view_of, tmp_path, roll_deg=degrees)

    attitude = view.attitude(truth.stamp_ns)

    assert attitude.source == "pose"
    assert "+Y" in attitude.grounds
    assert np.abs(wrapped(attitude.roll_rad - true_roll(truth))).max() < 1e-6
    assert np.abs(wrapped(attitude.roll_rad + np.deg2rad(degrees))).max() < CALM_RAD
    if degrees != 45:
        assert set(attitude.quarter_turns) == {-degrees // 90 % 4}


@pytest.mark.parametrize("degrees", [0, 45, 90, 180, 270])
def test_without_poses_gravity_tells_the_roll(view_of, tmp_path, degrees):
    view, truth = demo_view(
        view_of, tmp_path, seconds=4, roll_deg=degrees, with_pose=False, imu_gravity="included"
    )

    attitude = view.attitude(truth.stamp_ns)

    assert (view.pose, attitude.source) == (None, "gravity")
    assert np.isfinite(attitude.roll_rad).all()
    assert np.abs(wrapped(attitude.roll_rad - true_roll(truth))).max() < 0.1


def test_without_poses_and_gravity_nothing_is_told(view_of, tmp_path):
    view, truth = demo_view(view_of, tmp_path, roll_deg=90, with_pose=False)

    attitude = view.attitude(truth.stamp_ns)

    assert (attitude.source, attitude.grounds) == ("none", "")
    assert np.isnan(attitude.roll_rad).all()
    assert len(attitude.roll_rad) == len(truth.stamp_ns)
    assert set(attitude.quarter_turns) == {0}


def test_while_tracking_is_lost_the_roll_is_not_known(view_of, tmp_path):
    view, truth = demo_view(view_of, tmp_path, seconds=4, roll_deg=90, lost_interval_s=(1.0, 3.0))
    first, last = truth.lost_ns[0]
    asked = np.concatenate([truth.stamp_ns, np.linspace(first, last, 9).astype(np.int64)])

    roll = view.attitude(asked).roll_rad

    assert np.isfinite(roll[: len(truth.stamp_ns)]).all()
    assert np.isnan(roll[len(truth.stamp_ns) :]).all()


def test_no_stamps_give_no_angles(view_of, tmp_path):
    view, _ = demo_view(view_of, tmp_path, seconds=0.5)

    assert view.attitude(np.empty(0, np.int64)).roll_rad.shape == (0,)


# A rig as robots have it: body axes with X forward, a world with Z up, messages written by rosbags.

OPTICAL = "camera_color_optical_frame"
Q_BODY = tuple(Rotation.from_matrix(BODY_ROTATION).as_quat())


def robot(folder, *, body, world="odom", optical_in_body=Q_BODY, imu_in_body=None, with_pose=True, felt=9.81):
    """Two seconds of a robot whose body stands at `body` (a scipy rotation), and the stamps of its pictures."""
    file, start = RecordedRig(folder / "robot.mcap"), ros.EPOCH_NS
    edges = [(start, "base_link", OPTICAL, (0, 0, 0), optical_in_body)]
    if imu_in_body is not None:
        edges.append((start, "base_link", "imu", (0, 0, 0), imu_in_body.as_quat()))
    file.add("/tf_static", ros.tf_message(*edges))
    turned = body if imu_in_body is None else body * imu_in_body
    stamps = start + np.arange(20, dtype=np.int64) * S // 10
    for number, stamp in enumerate(stamps.tolist()):
        file.add("/color/image/compressed", ros.compressed_image(stamp, ros.jpeg(number)))
        if with_pose:
            edge = (stamp, world, "base_link", (0.01 * number, 0, 0), body.as_quat())
            file.add("/tf", ros.tf_message(edge))
        for sample in range(10):
            file.add("/imu", ros.imu(stamp + sample * S // 100, turned.inv().apply([0, 0, felt])))
    return file.close(), stamps


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("world", ["odom", "world"])
def test_a_robots_world_has_z_up(view_of, tmp_path, degrees, world):
    """Rolled about its forward axis: clockwise for somebody behind it."""
    path, stamps = robot(tmp_path, body=Rotation.from_euler("x", degrees, degrees=True), world=world)

    attitude = view_of(path).attitude(stamps)

    assert attitude.source == "pose"
    assert "+Z" in attitude.grounds
    assert np.abs(wrapped(attitude.roll_rad + np.deg2rad(degrees))).max() < 1e-6


def test_a_world_without_any_sign_of_its_up_turns_no_picture(view_of, tmp_path):
    tilted = Rotation.from_euler("xyz", [20, 35, 50], degrees=True).as_quat()
    path, stamps = robot(tmp_path, body=Rotation.identity(), world="world", optical_in_body=tilted)

    assert view_of(path).attitude(stamps).source == "none"


def test_signs_that_contradict_each_other_turn_no_picture(view_of, tmp_path):
    ar_axes = Rotation.from_matrix(PHONE_ROTATION).as_quat()
    path, stamps = robot(tmp_path, body=Rotation.identity(), world="odom", optical_in_body=ar_axes)

    assert view_of(path).attitude(stamps).source == "none"


def test_an_accelerometer_of_the_other_sign_turns_no_picture_upside_down(view_of, tmp_path):
    path, stamps = robot(
        tmp_path, body=Rotation.from_euler("z", 30, degrees=True), imu_in_body=Rotation.identity(), felt=-9.81
    )

    assert view_of(path).attitude(stamps).source == "none"


def test_what_the_accelerometer_measures_beats_the_convention(view_of, tmp_path):
    """The link has AR axes, which speak for Y up; gravity shows that this world has Z up."""
    ar_axes = Rotation.from_matrix(PHONE_ROTATION).as_quat()
    body = Rotation.from_euler("xz", [90, 30], degrees=True)
    path, stamps = robot(
        tmp_path, body=body, world="world", optical_in_body=ar_axes, imu_in_body=Rotation.identity()
    )

    attitude = view_of(path).attitude(stamps)

    assert attitude.source == "pose"
    assert attitude.grounds == "up is +Z of the world, measured by the accelerometer"
    up = Rotation.from_matrix(PHONE_ROTATION).inv().apply(body.inv().apply([0, 0, 1]))
    assert np.abs(wrapped(attitude.roll_rad - np.arctan2(up[0], -up[1]))).max() < 1e-6


@pytest.mark.parametrize("degrees", [0, 90, 200])
def test_a_robot_without_poses_feels_gravity_through_its_frame_tree(view_of, tmp_path, degrees):
    mounted = Rotation.from_euler("zyx", [30, -60, 110], degrees=True)
    body = Rotation.from_euler("x", degrees, degrees=True)
    path, stamps = robot(tmp_path, body=body, imu_in_body=mounted, with_pose=False)

    attitude = view_of(path).attitude(stamps)

    assert attitude.source == "gravity"
    assert np.abs(wrapped(attitude.roll_rad + np.deg2rad(degrees))).max() < 1e-6


def test_an_accelerometer_of_unknown_mounting_tells_nothing(view_of, tmp_path):
    path, stamps = robot(tmp_path, body=Rotation.identity(), with_pose=False)

    assert view_of(path).attitude(stamps).source == "none"


# The maths, on columns.

STAMPS = np.arange(40, dtype=np.int64) * 50_000_000 + 2**60
PHONE = LinkFromOptical(tuple(PHONE_ROTATION.ravel().tolist()), (0.0, 0.0, 0.0), "tf", "")


def by_poses(quaternions, link=PHONE, library="fpv_labs/1.0", frame="world"):
    poses = PoseStream(STAMPS, np.zeros((len(STAMPS), 3)), np.asarray(quaternions), frame, "camera_link")
    return find_attitude(Rig(poses, link, None, {}, "optical", library), STAMPS)


def looking(roll, pitch, yaw):
    """Link of AR axes that looks around: first rolled clockwise about its view, then raised, then turned."""
    return Rotation.from_euler("zxy", [-roll, pitch, yaw])


angles = st.floats(-np.pi, np.pi, allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(roll=angles, pitch=st.floats(-1.2, 1.2), yaw=angles, length=st.floats(0.01, 100), sign=st.booleans())
def test_any_roll_comes_back_whatever_pitch_and_heading(roll, pitch, yaw, length, sign):
    quaternion = looking(roll, pitch, yaw).as_quat() * length * (-1 if sign else 1)

    attitude = by_poses(np.tile(quaternion, (len(STAMPS), 1)))

    assert np.abs(wrapped(attitude.roll_rad + roll)).max() < 1e-6


@pytest.mark.parametrize("pitch", [np.pi / 2, -np.pi / 2, 1.4])
def test_a_camera_that_looks_straight_up_or_down_has_no_roll(pitch):
    attitude = by_poses(np.tile(looking(0.3, pitch, 0.2).as_quat(), (len(STAMPS), 1)))

    assert np.isnan(attitude.roll_rad).all()


@pytest.mark.parametrize("pitch", [0.3, -np.pi / 2])
def test_which_way_is_up_in_the_world_is_told_even_where_the_roll_is_not(pitch):
    attitude = by_poses(np.tile(looking(0.3, pitch, 0.2).as_quat(), (len(STAMPS), 1)))

    assert np.allclose(attitude.up_in_world, [0, 1, 0])


def test_without_poses_there_is_no_world_to_have_an_up():
    edges = {"imu": Edge("optical", np.eye(3), np.zeros(3), moves=False)}

    attitude = find_attitude(Rig(None, None, imu([0, -9.81, 0]), edges, "optical", ""), STAMPS)

    assert (attitude.source, attitude.up_in_world) == ("gravity", None)


def test_rotations_that_are_zero_or_no_numbers_are_no_answer():
    quaternions = np.tile(looking(np.pi / 2, 0, 0).as_quat(), (len(STAMPS), 1))
    quaternions[10:20] = 0
    quaternions[30:] = np.nan

    roll = by_poses(quaternions).roll_rad

    assert np.isnan(roll[10:20]).all()
    assert np.isnan(roll[30:]).all()
    assert np.allclose(roll[:10], -np.pi / 2)
    assert np.allclose(roll[20:30], -np.pi / 2)
    assert by_poses(np.zeros((len(STAMPS), 4))).source == "none"


def test_an_assumed_place_of_the_camera_turns_no_picture():
    assumed = LinkFromOptical(PHONE.rotation, PHONE.offset_m, "assumed", "")
    upright = np.tile(looking(np.pi, 0, 0).as_quat(), (len(STAMPS), 1))

    assert by_poses(upright, link=assumed).source == "none"
    assert by_poses(upright).source == "pose"


def imu(acceleration, *, stamps=STAMPS, gravity="included"):
    rows = np.broadcast_to(np.asarray(acceleration, float), (len(stamps), 3))
    return ImuStream(
        stamps, rows.copy(), np.zeros_like(rows), np.full((len(stamps), 4), np.nan), "imu", gravity
    )


@settings(max_examples=60, deadline=None)
@given(quaternion=st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1))
def test_felt_gravity_points_up_through_any_mounting(quaternion):
    mounted = Rotation.from_quat(quaternion)
    up = np.array([0.6, -0.8, 0.0])
    edges = {"imu": Edge("optical", mounted.as_matrix(), np.zeros(3), moves=False)}

    rolled = Rig(None, None, imu(9.81 * mounted.inv().apply(up)), edges, "optical", "")
    attitude = find_attitude(rolled, STAMPS)

    assert attitude.source == "gravity"
    assert np.allclose(attitude.roll_rad, np.arctan2(0.6, 0.8))


def test_shaking_averages_out_and_falling_is_no_answer():
    random = np.random.default_rng(1)
    shaken = imu(np.array([0, 9.81, 0]) + random.normal(0, 1.5, (len(STAMPS), 3)))

    assert np.all(felt_up(shaken, STAMPS)[:, 1] > 0.97)
    assert np.isnan(felt_up(imu([0, 2.0, 0]), STAMPS)).all()
    assert np.isnan(felt_up(imu([0, 20.0, 0]), STAMPS)).all()


def test_holes_and_lone_samples_of_the_accelerometer_are_no_answer():
    keep = np.r_[0:10, 30:40]
    up = felt_up(imu([0, 9.81, 0], stamps=STAMPS[keep]), STAMPS)

    assert np.isnan(up[12:28]).all()
    assert np.isfinite(up[0]).all()
    assert np.isfinite(up[39]).all()
    assert np.isnan(felt_up(imu([0, 9.81, 0], stamps=STAMPS[:3]), STAMPS)).all()
    assert np.isnan(felt_up(imu([0, 9.81, 0], gravity="unknown"), STAMPS)).all()


def test_no_mean_is_taken_across_a_hole():
    keep = np.r_[0:20, 26:40]
    up = felt_up(imu([0, 9.81, 0], stamps=STAMPS[keep]), STAMPS[keep])

    assert np.isfinite(up[[0, 5, 9]]).all()
    assert np.isnan(up[[17, 19, 20, 22]]).all()


class InPieces:
    """Samples that come some at a time."""

    def __init__(self, whole, cuts):
        self.frame_id, self.gravity, self._whole = whole.frame_id, whole.gravity, whole
        self._cuts = [0, *sorted(cuts), len(whole)]

    def __len__(self):
        return len(self._whole)

    def pieces(self):
        for start, stop in itertools.pairwise(self._cuts):
            rows = slice(start, stop)
            columns = (self._whole.stamp_ns, self._whole.linear_acceleration)
            columns += (self._whole.angular_velocity, self._whole.orientation_xyzw)
            yield ImuStream(*(values[rows] for values in columns), self.frame_id, self.gravity)


@given(
    cuts=st.lists(st.integers(0, 300), max_size=6),
    hole=st.integers(0, 290),
    asked=st.lists(st.integers(-40, 340), max_size=30),
)
def test_samples_in_pieces_say_the_same_as_all_at_once(cuts, hole, asked):
    stamps = np.delete(np.arange(300, dtype=np.int64), slice(hole, hole + 9)) * (S // 50)
    values = np.array([0, 9.81, 0]) + np.random.default_rng(2).normal(0, 1.5, (len(stamps), 3))
    whole = imu(values, stamps=stamps)
    asked_ns = np.array(asked, np.int64) * (S // 50)

    pieces = felt_up(InPieces(whole, [min(cut, len(whole)) for cut in cuts]), asked_ns)

    assert np.allclose(pieces, felt_up(whole, asked_ns), atol=1e-12, equal_nan=True)


def test_a_sensor_on_a_moving_part_tells_nothing_of_the_camera():
    edges = {"imu": Edge("optical", np.eye(3), np.zeros(3), moves=True)}

    assert find_attitude(Rig(None, None, imu([0, -9.81, 0]), edges, "optical", ""), STAMPS).source == "none"


def test_a_measurement_that_scatters_or_is_short_is_none():
    random = np.random.default_rng(2)
    scattered = random.normal(size=(200, 3))
    scattered /= np.linalg.norm(scattered, axis=1, keepdims=True)

    assert measured_up(scattered) is None
    assert measured_up(np.tile([0.0, 1.0, 0.0], (5, 1))) is None
    assert measured_up(np.full((50, 3), np.nan)) is None
    slanted = measured_up(np.tile([0.6, 0.8, 0.0], (50, 1)))
    assert slanted is not None
    assert np.allclose(slanted.direction, [0.6, 0.8, 0])
