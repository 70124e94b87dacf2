"""The estimated body in the bundle: there when it was asked for, masked where unknown, told apart from measurements."""

from __future__ import annotations

import h5py
import numpy as np
import pyarrow as pa

from episode_assets.bundle import EpisodeBundle
from episode_assets.hands import BODY_JOINT_NAMES, UPPER_BODY_FILE, UPPER_BODY_SCHEMA
from episode_assets_tests.bundle.conftest import Maker
from episode_assets_tests.bundle.recordings import RECORDING_ID, Hand, Scene

HEAD, LEFT_WRIST = BODY_JOINT_NAMES.index("head"), BODY_JOINT_NAMES.index("left_wrist")


def body_of(scene: Scene, *, unknown: frozenset[int] = frozenset()) -> pa.Table:
    """A body whose joint j of message m stands at (m, j, 1); no place counts in the messages of `unknown`."""
    rows = []
    for message in range(scene.frames):
        joints = np.stack([np.full(10, message), np.arange(10), np.ones(10)], axis=1).astype(np.float32)
        source = np.full(10, 2)
        source[LEFT_WRIST] = 1
        source[-1] = 1
        if message in unknown:
            source[:] = 0
        rows.append(
            {
                "recording_id": RECORDING_ID,
                "message_number": message,
                "frame_index": message,
                "stamp_ns": int(scene.stamps_ns[message]),
                "joints_world": joints.ravel().tolist(),
                "joint_source": source.tolist(),
                "heading_held": message == 3,
            }
        )
    return pa.Table.from_pylist(rows, schema=UPPER_BODY_SCHEMA)


def test_the_body_stands_at_its_pictures(make: Maker) -> None:
    scene = Scene(frames=6)

    made = make(
        scene,
        hands=(Hand(1),),
        dropped=frozenset({2}),
        extra={UPPER_BODY_FILE: body_of(scene, unknown=frozenset({4}))},
    )

    assert "annotation.hdf5:/upper-body" in made.outcome.saved
    with EpisodeBundle.open(made.path) as bundle:
        body = bundle.upper_body
    assert body is not None
    assert body.valid.tolist() == [True, True, True, False, True]
    assert body.joints_world[:, HEAD, 0].tolist()[:3] == [0, 1, 3]
    assert body.joints_world[4, 7].tolist() == [5, 7, 1]
    assert np.isnan(body.joints_world[3]).all()
    assert body.joint_source[0].tolist() == [2, 2, 2, 2, 2, 1, 2, 2, 2, 1]
    assert body.joint_source[3].tolist() == [0] * 10
    assert body.heading_held.tolist() == [False, False, True, False, False]
    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        attributes = dict(file["/upper-body"].attrs)
        assert file["/upper-body/joints_world"].attrs["units"] == "m"
    assert attributes["source"] == "geometric"
    assert attributes["joint_names"].split(",") == list(BODY_JOINT_NAMES)
    assert attributes["edges"].startswith("1-3,3-4")


def test_without_the_table_there_is_no_group(make: Maker) -> None:
    made = make(Scene(frames=3), hands=(Hand(1),))

    assert not [name for name in made.outcome.saved if "upper-body" in name]
    with EpisodeBundle.open(made.path) as bundle:
        assert bundle.upper_body is None
        assert not bundle.has("/upper-body")


def test_a_body_without_any_place_is_skipped_with_a_reason(make: Maker) -> None:
    scene = Scene(frames=3)

    made = make(scene, hands=(), extra={UPPER_BODY_FILE: body_of(scene, unknown=frozenset(range(3)))})

    assert made.reasons()["annotation.hdf5:/upper-body"] == "no_upper_body"
    assert not h5py.File(made.path / "annotation.hdf5", "r").get("/upper-body")
