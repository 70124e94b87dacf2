"""Users append their own groups to an exported copy; what is published stays as it is."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from episode_assets.bundle import EpisodeBundle
from episode_assets.cli import main
from episode_assets.storage import Artifact, ArtifactKey, Store
from episode_assets_tests.bundle.conftest import Maker
from episode_assets_tests.bundle.recordings import RECORDING_ID, Hand, Scene

KEY = ArtifactKey("episode_bundle", RECORDING_ID)
NOBODY = 65534
OPENED, REFUSED = 0, 13
OPEN_AS_NOBODY = f"""
import os, sys
import h5py

h5py.File(sys.argv[1], "r").close()  # what is imported on the way may not be readable to everybody
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
try:
    h5py.File(sys.argv[1], "r+").close()
except PermissionError:
    sys.exit({REFUSED})
sys.exit({OPENED})
"""


@pytest.fixture
def store(make: Maker, tmp_path: Path) -> Store:
    made = make(Scene(frames=6), hands=(Hand(2),))
    store = Store.open(str(tmp_path / "store"))
    with store.draft(KEY, fingerprint="f" * 64, code_version="1", config={}, inputs={}) as draft:
        for path in sorted(made.path.rglob("*")):
            target = draft.directory / path.relative_to(made.path)
            if path.is_dir():
                target.mkdir()
            else:
                target.write_bytes(path.read_bytes())
        draft.publish(made.outcome)
    return store


def exported(store: Store, directory: Path) -> Path:
    result = CliRunner().invoke(main, ["export", RECORDING_ID, str(directory), "--store", store.uri])
    assert result.exit_code == 0, result.output
    return Path(result.stdout.strip())


def digests(artifact: Artifact) -> dict[str, str]:
    return {
        entry.path: hashlib.sha256(artifact.path(entry.path).read_bytes()).hexdigest()
        for entry in artifact.manifest.files
    }


def test_groups_are_appended_to_an_exported_copy_and_the_store_stays(store: Store, tmp_path: Path) -> None:
    before = digests(store.latest(KEY))
    copy = exported(store, tmp_path / "mine")

    with h5py.File(copy / "annotation.hdf5", "r+") as file:
        group = file.create_group("text-annotations")
        group.attrs["language"] = "en"
        group.create_dataset("start_frame", data=np.array([0, 3]))
        group.create_dataset("text", data=["reach", "grasp"], dtype=h5py.string_dtype())

    with EpisodeBundle.open(copy) as bundle:
        assert bundle.array("/text-annotations/start_frame").tolist() == [0, 3]
        assert bundle.depth_frame(3) is not None
        assert bundle.right.valid[2]
        assert bundle.manifest == store.latest(KEY).manifest
    assert digests(store.latest(KEY)) == before
    assert store.verify(KEY) == []
    with EpisodeBundle.open(store.latest(KEY).directory()) as bundle:
        assert "text-annotations" not in bundle.groups


def test_a_published_file_does_not_open_for_writing(store: Store) -> None:
    path = store.latest(KEY).path("annotation.hdf5")

    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    if os.getuid() != 0:
        with pytest.raises(OSError, match="unable to open"):
            h5py.File(path, "r+")


@pytest.mark.skipif(
    not hasattr(os, "setuid") or os.getuid() != 0, reason="only root can become an ordinary user"
)
def test_an_ordinary_user_cannot_write_into_the_store(store: Store, tmp_path: Path) -> None:
    """Root writes wherever it likes, so somebody else has to try; folders above are opened for the visit."""
    published, copy = store.latest(KEY).path("annotation.hdf5"), exported(store, tmp_path / "mine")
    before = published.read_bytes()
    for folder in (*published.parents, *copy.parents, copy):
        if Path(tempfile.gettempdir()) in folder.parents:
            folder.chmod(0o755)
    (copy / "annotation.hdf5").chmod(0o666)

    assert opened_by_nobody(published) == REFUSED
    assert opened_by_nobody(copy / "annotation.hdf5") == OPENED
    assert published.read_bytes() == before


def opened_by_nobody(path: Path) -> int:
    """Let an ordinary user open a file for writing, in a process of its own."""
    return subprocess.run([sys.executable, "-c", OPEN_AS_NOBODY, str(path)], check=False).returncode
