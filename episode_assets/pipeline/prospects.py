"""What each asset will be able to make of a recording, told from its inventory before anything is computed.

Add a row to `NEEDS` when an asset is added or wants another stream. A prospect is about streams only: whether faces
can be audited, or hands are in view, shows when the asset is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from episode_assets.recording import Inventory

Verdict: TypeAlias = Literal["yes", "partly", "no"]


@dataclass(frozen=True)
class Want:
    """A stream, and what follows where there is none.

    Attributes:
        role: The role that a topic has to fill.
        consequence: What the asset then is or lacks.
    """

    role: str
    consequence: str


@dataclass(frozen=True)
class Needs:
    """What an asset cannot do without, and what makes it better."""

    asset: str
    must: tuple[Want, ...]
    better_with: tuple[Want, ...] = ()


@dataclass(frozen=True)
class Prospect:
    """What will become of one asset.

    Attributes:
        asset: Its name.
        can: `yes`, `partly` (it is made, and less than it could be), or `no`.
        missing: Roles that are wanted and not filled.
        consequences: What follows from that, and from damage, in words.
    """

    asset: str
    can: Verdict
    missing: tuple[str, ...] = ()
    consequences: tuple[str, ...] = ()


_PICTURES = Want("rgb", "no camera topic")

NEEDS: tuple[Needs, ...] = (
    Needs("blurred_rgb", (_PICTURES,)),
    Needs(
        "hand_poses",
        (_PICTURES,),
        (
            Want("depth", "2-D only (no depth)"),
            Want("camera_info", "2-D only (no calibration)"),
            Want("pose", "in the camera's frame only (no camera poses)"),
        ),
    ),
    Needs(
        "scene_mesh",
        (_PICTURES,),
        (
            Want("mesh", "the mesh is fused from depth, where there is any"),
            Want("pose", "without colours (no camera poses)"),
            Want("camera_info", "without colours (no calibration)"),
        ),
    ),
    Needs(
        "episode_bundle",
        (_PICTURES,),
        (
            Want("depth", "without depth"),
            Want("camera_info", "without intrinsics"),
            Want("pose", "without camera poses"),
            Want("imu", "without inertial samples"),
            Want("mesh", "without a mesh"),
        ),
    ),
    Needs(
        "qc_report",
        (_PICTURES,),
        (
            Want("depth", "depth is scored as missing"),
            Want("pose", "poses are scored as missing"),
            Want("imu", "the IMU is scored as missing"),
            Want("tracking", "tracking losses are not known"),
            Want("camera_info", "intrinsics are not checked"),
        ),
    ),
    Needs(
        "lerobot_episode",
        (_PICTURES,),
        (
            Want("pose", "camera poses are masked out"),
            Want("depth", "hands have no place in metres (no depth)"),
            Want("camera_info", "hands have no place in metres (no calibration)"),
        ),
    ),
)
"""What each asset behind `raw_mcap` takes from a recording, in the order of the graph."""


def prospects_of(inventory: Inventory, needs: Sequence[Needs] = NEEDS) -> tuple[Prospect, ...]:
    """Return what each asset will be able to make of a recording."""
    return tuple(_prospect(inventory, item) for item in needs)


def _prospect(inventory: Inventory, needs: Needs) -> Prospect:
    lacking = [want for want in needs.must if not _is_met(inventory, want)]
    if lacking:
        return _answer(inventory, needs.asset, "no", lacking, ())
    lacking = [want for want in needs.better_with if not _is_met(inventory, want)]
    faults = _faults(inventory, needs)
    return _answer(inventory, needs.asset, "partly" if lacking or faults else "yes", lacking, faults)


def _answer(
    inventory: Inventory, asset: str, can: Verdict, lacking: Sequence[Want], faults: Sequence[str]
) -> Prospect:
    missing = tuple(want.role for want in lacking)
    consequences = tuple(_consequence(inventory, want) for want in lacking)
    return Prospect(asset, can, missing, (*consequences, *faults))


def _is_met(inventory: Inventory, want: Want) -> bool:
    choice = inventory.roles.get(want.role)
    return choice is not None and choice.is_filled


def _consequence(inventory: Inventory, want: Want) -> str:
    choice = inventory.roles.get(want.role)
    if choice is not None and choice.is_ambiguous:
        return f"{want.consequence}: {choice.reason}"
    return want.consequence


def _faults(inventory: Inventory, needs: Needs) -> list[str]:
    """Return what is wrong with the streams that the asset takes, and with the file that holds them."""
    wanted = {want.role for want in (*needs.must, *needs.better_with)}
    faults = [
        f"{info.undecodable} of {info.count} messages of {info.topic} are undecodable"
        for info in inventory.topics
        if info.role in wanted and info.undecodable
    ]
    if inventory.truncated:
        faults.append(f"the recording is cut at byte {inventory.cut_offset}: it ends early")
    broken = inventory.damage_total - inventory.truncated
    if broken > 0:
        faults.append(f"{broken} damaged stretch{'es' if broken > 1 else ''}: messages may be missing")
    return faults
