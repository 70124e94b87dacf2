"""What a reader of a bundle should know about the recording it came from: damage, disorder, pictures left out.

Only things that are already counted upstream are repeated here; nothing is judged, that belongs to `qc`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from episode_assets.bundle.account import Account
from episode_assets.footage import REMEDY, FrameTable, read_table, require_columns
from episode_assets.recording import Inventory

DROPPED = ["message_number", "reason"]
NAMED_MESSAGES = 5


def note_recording(inventory: Inventory, account: Account) -> None:
    """Enter a cut-off end, unreadable stretches, and disorder in the streams that the bundle holds."""
    if inventory.truncated:
        last = "" if inventory.last_ns is None else f", last readable message at {inventory.last_ns} ns"
        account.note("truncated", f"the recording ends early at byte {inventory.cut_offset}{last}")
    account.note(
        "damaged",
        f"{inventory.damage_total} stretches of the recording are unreadable",
        count=inventory.damage_total,
    )
    for role in sorted(inventory.roles):
        info = inventory.role(role)
        if info is None:
            continue
        counts = {
            "messages_undecodable": (info.undecodable, "messages do not decode and are left out"),
            "stamps_backwards": (info.backward_steps, "messages came after later ones and were sorted in"),
            "stamps_repeated": (info.repeated_stamps, "messages repeat the stamp of another one"),
        }
        for code, (number, words) in counts.items():
            account.note(code, f"{number} {role} {words}", stream=role, count=number)


def note_dropped_pictures(path: Path, frames: FrameTable, account: Account) -> None:
    """Enter the pictures that the blurred video left out, by reason, with the first few message numbers.

    The frames concerned are those on either side of a picture that is left out.

    Raises:
        ArtifactDamaged: The table is there and cannot be read.
    """
    if not path.is_file():
        return
    table = read_table(path, DROPPED, remedy=REMEDY)
    require_columns(table, DROPPED, where=path.name, remedy=REMEDY)
    for reason in sorted(str(word) for word in pc.unique(table["reason"]).to_pylist()):
        numbers = table.filter(pc.equal(table["reason"], reason))["message_number"].to_pylist()
        first = ", ".join(str(number) for number in numbers[:NAMED_MESSAGES])
        more = ", ..." if len(numbers) > NAMED_MESSAGES else ""
        account.note(
            "picture_dropped",
            f"{len(numbers)} pictures left out ({reason}): messages {first}{more}",
            stream="rgb",
            count=len(numbers),
            where=_neighbours(np.array(numbers, dtype=np.int64), frames),
        )


def _neighbours(message_number: NDArray[np.int64], frames: FrameTable) -> NDArray[np.bool_]:
    """Return which frames lie right before or after messages that are not among them."""
    order = np.argsort(frames.message_number)
    after = np.searchsorted(frames.message_number[order], message_number)
    beside = np.zeros(len(frames), np.bool_)
    beside[order[np.clip([after - 1, after], 0, len(frames) - 1)]] = True
    return beside
