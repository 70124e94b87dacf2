"""What to do about a finding, per check id: one sentence each for people who record or cut datasets."""

from __future__ import annotations

from collections.abc import Mapping

ADVICE: Mapping[str, str] = {
    # pictures
    "black": "Check the lens cap and the camera's power; these frames are cut out.",
    "covered_lens": "Keep fingers, hair and clothes away from the lens; these frames are cut out.",
    "frozen": "The camera repeated a picture while it moved: lower its load or resolution; these frames are cut out.",
    "blank_picture": "Look at the stretch: before a bare wall it is fine, else something lay on the lens.",
    "still_picture": "Look at the stretch: on a tripod it is fine, else the camera stopped delivering pictures.",
    "blurred": "Clean the lens, add light or move slower, so that the shutter stays short.",
    "overexposed": "Lower the exposure, or keep windows and lamps out of the picture.",
    "underexposed": "Add light or raise the exposure.",
    "exposure_jump": "Fix the exposure, or switch flickering light off.",
    "exposure": "Fix the exposure for the light of the place.",
    "colour_cast": "Check the white balance, filters and the camera's cable: one colour is all but missing.",
    "undecodable": "Look at the recorder's storage and network: these messages hold no whole picture.",
    # streams
    "rgb_gap": "The recorder left pictures out: check its load and storage; nothing is kept across the gap.",
    "depth_gap": "The depth sensor paused: check its temperature, load and cable.",
    "pose_gap": "Poses are missing: keep the surroundings lit and textured so that tracking holds.",
    "imu_gap": "IMU samples are missing: check the recorder's load.",
    "clock_jump": "The recorder's clock was set while recording: add what is missing to the stamps behind it.",
    "rgb_rate": "The camera slowed down: check its load, its temperature and the light.",
    "rgb_jitter": "Pictures come unevenly: check the recorder's load, and trust stamps, not counts.",
    "clock_drift": "The clocks of sensor and recorder run apart: use the stamps of the messages, not log times.",
    "stamp_order": "Check the recorder's clock: stamps repeat or step back.",
    "tracking_lost": "Move slower and keep textured, lit surroundings in view; these frames are cut out.",
    "relocalisation": "The map moved here: poses before and after do not fit together, so nothing is kept across it.",
    "sync_pose_imu": "Poses and IMU disagree in time: correct the stamps by the offset before using them together.",
    "sync_rgb_imu": "Pictures and IMU disagree in time: correct the stamps by the offset before using them together.",
    "sync_rgb_pose": "Pictures and poses disagree in time: correct the stamps before using them together.",
    "sync_rgb_depth": "Pictures and depth disagree in time: pair them with the offset taken into account.",
    "sync_drift": "The clocks run apart: correct the stamps by an offset that grows with time.",
    "sync": "Correct the stamps by the offset before using the streams together.",
    "truncated": "The recording was not closed properly: stop the recorder before taking the power away.",
    # poses, IMU, depth, calibration
    "pose_validity": "Check what writes the poses: a rotation must be a finite unit quaternion.",
    "pose_jump": "The tracker jumped: nothing is kept across it; move slower or improve the light.",
    "pose_gyro": "Poses and gyro disagree about turns: look at the tracker there, or at the IMU's calibration.",
    "pose_stuck": "The tracker stood still while the head turned: take these poses for missing.",
    "mesh": "Look at the mesh: it does not surround the camera, or is damaged.",
    "gravity_direction": "Check how the IMU is said to sit against the camera.",
    "imu_saturated": "Choose a larger range of the IMU: it was met here.",
    "imu_validity": "The IMU does not measure all it should: check the sensor and its driver.",
    "imu_dead_axis": "An axis of the IMU delivers nothing: check the sensor and its driver.",
    "imu_jolts": "Fix the device more firmly: it is knocked often.",
    "head_motion": "Turn the head more slowly: pictures taken while it turns fast are of little use.",
    "orientation": "Turn the camera upright, or tell whoever trains that the pictures are rolled.",
    "depth_centre": "Little depth where the work is done: stay within the sensor's range.",
    "depth_saturated": "The depth sensor is blinded or out of range: check its range and the light.",
    "depth_constant": "The depth sensor delivers one number: check it, these images hold nothing.",
    "depth_frozen": "The depth sensor repeated an image while the camera moved: check its load.",
    "depth_size": "The calibration of depth belongs to images of another size: calibrate it anew.",
    "idle": "Little happens here: stop recording when nothing is done.",
    "imu_gravity": "Calibrate the accelerometer: its mean does not have the size of gravity.",
    "depth_valid": "Depth is sparse: stay within the sensor's range and avoid shiny or dark surfaces.",
    "intrinsics": "Calibrate the camera: its intrinsics are not plausible for these pictures.",
    # hands
    "hand_presence": "Keep the hands in view, or point the camera lower.",
    "hand_bones": "Look at the hands of these frames: their bones change length, so the estimate is wrong.",
    "hand_speed": "Look at the hands of these frames: no wrist moves that fast.",
    "hand_size": "Check the scale of the hands and of depth: no adult's hand has this size.",
    "hand_angles": "Look at the hands of these frames: fingers do not bend like that, so the estimate is wrong.",
    "hand_jitter": "Hands tremble while nothing moves: smooth their tracks, or add light.",
    "hand_swap": "Left and right are exchanged in these frames: exchange them back, or leave the frames out.",
    "hand_chirality": "A left hand is named right, or the other way round: check the sides of these frames.",
    "hand_same_side": "Two hands are said to be of one side here, and the surer one is kept: look which is right.",
    "hand_other_person": "These hands seem to be somebody else's: mark them so, or leave the frames out.",
    "hand_reprojection": "Joints in metres and in the picture do not fit: check the camera's calibration.",
    "hand_depth": "Hands do not lie where depth was measured: check depth, its calibration and its delay.",
    "hand_confidence": "Hands are uncertain: add light, move slower, keep them whole in view.",
    "hand_dropouts": "Hands are lost for single frames: fill them, or use a detector that holds them.",
    "hand_hidden": "A blurred rectangle lies over these hands: look whether a face was there, else except it.",
    "hands": "Look at the hands of these frames.",
    # whole recording
    "privacy": "Have every picture audited before publishing, or leave it out.",
    "rgb_missing": "No picture could be decoded: check the camera's stream and its encoding.",
    "depth_missing": "Record depth, or set depth_required to false.",
    "pose_missing": "Record camera poses, or run tracking afterwards.",
    "hands_missing": "Run the step that finds hands, or take hands out of required_streams.",
    "imu_missing": "Record the IMU, or set imu_required to false.",
    "not_run": "Run the steps that were left out, so that these checks can judge.",
}


def advice_for(kind: str) -> str:
    """Return what to do about findings of a kind; empty where nobody knows better than the text of the finding."""
    return ADVICE.get(kind, "")
