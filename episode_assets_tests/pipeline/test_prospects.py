from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from episode_assets.pipeline import STEPS
from episode_assets.pipeline.prospects import NEEDS, Prospect, prospects_of
from episode_assets.recording import Inventory, inspect
from episode_assets.recording.config import ROLES
from episode_assets.recording.containers.container import Damage


@pytest.fixture(scope="module")
def whole(shared_data: Path) -> Inventory:
    return inspect(str(shared_data / "recordings" / "table_scene.mcap"))


def without(inventory: Inventory, *roles: str) -> Inventory:
    emptied = {role: replace(inventory.roles[role], topics=(), frames=()) for role in roles}
    return replace(inventory, roles={**inventory.roles, **emptied})


def prospect(inventory: Inventory, asset: str) -> Prospect:
    (found,) = [item for item in prospects_of(inventory) if item.asset == asset]
    return found


def test_every_asset_of_a_recording_has_a_row() -> None:
    assert {step.asset for step in STEPS} - {"raw_mcap"} == {item.asset for item in NEEDS} - {
        "lerobot_episode"
    }


def test_the_table_names_roles_that_exist() -> None:
    assert {want.role for item in NEEDS for want in (*item.must, *item.better_with)} <= set(ROLES)


def test_with_all_streams_everything_can_be_made(whole: Inventory) -> None:
    assert {item.can for item in prospects_of(whole)} == {"yes"}
    assert all(not item.missing and not item.consequences for item in prospects_of(whole))


def test_without_a_camera_nothing_can_be_made(whole: Inventory) -> None:
    found = prospects_of(without(whole, "rgb"))
    assert {item.can for item in found} == {"no"}
    assert all(item.missing[0] == "rgb" and item.consequences[0] == "no camera topic" for item in found)


def test_without_depth_hands_stay_flat(whole: Inventory) -> None:
    flat = without(whole, "depth")
    assert prospect(flat, "blurred_rgb").can == "yes"
    assert prospect(flat, "hand_poses") == Prospect(
        "hand_poses", "partly", ("depth",), ("2-D only (no depth)",)
    )


def test_a_role_that_nothing_decides_says_between_what(whole: Inventory) -> None:
    open_role = replace(
        whole.roles["rgb"],
        topics=(),
        reason="ambiguous between /left, /right; set it in the topic map",
        is_ambiguous=True,
    )
    found = prospects_of(replace(whole, roles={**whole.roles, "rgb": open_role}))
    assert "ambiguous between /left, /right" in found[0].consequences[0]


def test_undecodable_messages_touch_the_assets_that_take_them(whole: Inventory) -> None:
    topics = tuple(replace(info, undecodable=4) if info.role == "imu" else info for info in whole.topics)
    broken = replace(whole, topics=topics)
    assert prospect(broken, "blurred_rgb").can == "yes"
    assert prospect(broken, "episode_bundle").consequences == (
        "4 of 800 messages of /device/imu are undecodable",
    )


def test_damage_makes_everything_partial_and_a_cut_is_not_told_twice(whole: Inventory) -> None:
    cut = replace(whole, truncated=True, cut_offset=1234, damage_total=1)
    assert prospect(cut, "blurred_rgb").consequences == ("the recording is cut at byte 1234: it ends early",)
    holes = replace(whole, damage=(Damage("bad_crc", 7, 8, "x"),) * 2, damage_total=2)
    assert prospect(holes, "blurred_rgb") == Prospect(
        "blurred_rgb", "partly", (), ("2 damaged stretches: messages may be missing",)
    )
