"""Scratch of killed processes goes, scratch of living ones stays, and nothing else is touched."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from episode_assets.storage import Store
from episode_assets.storage.scratch import is_left_over, owned_name
from episode_assets_tests.storage.samples import RAW, fingerprint_of

DAY_S = 24 * 3600.0


def _name_of_a_dead_process() -> str:
    code = "from episode_assets.storage.scratch import owned_name; print(owned_name())"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_scratch_of_a_living_process_is_never_swept(store: Store) -> None:
    with store.draft(RAW, fingerprint=fingerprint_of("x"), code_version="1", config={}, inputs={}) as draft:
        long_ago = time.time() - 30 * DAY_S
        os.utime(draft.directory, (long_ago, long_ago))

        assert store.sweep() == 0
        assert draft.directory.is_dir()


def test_scratch_of_a_dead_process_is_swept_and_strangers_stay(local_uri: str) -> None:
    store = Store.open(local_uri)
    scratch = Path(local_uri) / "scratch"
    dead = _name_of_a_dead_process()
    (scratch / dead / "files").mkdir(parents=True)
    (scratch / dead / "files" / "sealed.bin").write_bytes(b"x")
    (scratch / dead / "files" / "sealed.bin").chmod(0o444)
    (scratch / f"{dead}.tmp").write_bytes(b"x")
    (scratch / f"{dead}.link").symlink_to("nowhere")
    (scratch / "notes of a user").write_bytes(b"x")

    assert store.sweep() == 3
    assert [path.name for path in scratch.iterdir()] == ["notes of a user"]


def test_scratch_of_another_machine_is_swept_after_a_day_without_change() -> None:
    name = "ea-0123456789ab-1-1-0123456789ab"

    assert not is_left_over(name, idle_s=DAY_S - 60)
    assert is_left_over(name, idle_s=DAY_S + 60)


def test_a_process_number_given_out_again_is_another_process() -> None:
    prefix, place, pid, started, chance = owned_name().split("-")

    assert not is_left_over(f"{prefix}-{place}-{pid}-{started}-{chance}", idle_s=0.0)
    assert is_left_over(f"{prefix}-{place}-{pid}-{int(started) - 1}-{chance}", idle_s=0.0)


def test_a_killed_and_unburied_process_counts_as_dead() -> None:
    code = "from episode_assets.storage.scratch import owned_name; print(owned_name(), flush=True)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        name = child.stdout.readline().strip()
        stat = Path(f"/proc/{child.pid}/stat")
        while stat.exists() and ") Z " not in stat.read_text():
            time.sleep(0.01)

        assert is_left_over(name, idle_s=0.0)
