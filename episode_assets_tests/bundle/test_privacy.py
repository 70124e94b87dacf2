"""What may not be in a bundle: unaudited pixels, colours of the mesh, names of devices, places and files."""

from __future__ import annotations

import json

import av
import cv2
import h5py
import numpy as np
import pytest

from episode_assets.bundle import EpisodeBundle
from episode_assets.errors import UnauditedArtifact
from episode_assets_tests.bundle.conftest import Maker
from episode_assets_tests.bundle.recordings import PASSED, Box, Scene, grey_of


@pytest.mark.parametrize(
    "privacy", [None, {}, {"audit": "failed"}, {"audit": True}, {"detector": "centerface"}]
)
def test_without_a_passed_audit_nothing_is_written(make: Maker, privacy, tmp_path) -> None:
    with pytest.raises(UnauditedArtifact, match="passed"):
        make(Scene(frames=3), privacy=privacy)

    assert list((tmp_path / "run1" / "bundle").iterdir()) == []


def test_names_of_device_place_and_file_occur_nowhere(make: Maker) -> None:
    secrets = {"device_model": "Quokkaphone 9", "storage.path": "/Users/zebedee/Oslo", "place": "Oslostrand"}
    scene = Scene(
        frames=5, metadata={**secrets, "fps": "15"}, profile="zebedee's rig", library="Quokkaphone 9 writer"
    )
    made = make(scene, file_name="zebedees_secret_kitchen.mcap")
    words = [b"Quokka", b"zebedee", b"Oslo", b"secret_kitchen", str(made.path.parent).encode()]

    content = {path.name: path.read_bytes() for path in made.path.rglob("*") if path.is_file()}

    assert [(name, word) for name, data in content.items() for word in words if word in data] == []
    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        found: list[str] = []
        file.visititems(lambda name, item: found.extend(f"{name} {dict(item.attrs)}") and None)
    assert "zebedee" not in "".join(found)


def test_allowed_metadata_travels(make: Maker) -> None:
    made = make(Scene(frames=3, metadata={"fps": "15", "device_model": "Quokkaphone 9"}))

    assert json.loads((made.path / "meta.json").read_text())["metadata"] == {"fps": "15"}


def test_the_video_is_the_blurred_one_byte_for_byte(make: Maker) -> None:
    made = make(Scene(frames=5))

    assert (made.path / "rgb.mp4").read_bytes() == (made.blurred / "rgb.mp4").read_bytes()


def test_the_thumbnail_is_the_sharpest_key_frame_of_the_blurred_video(make: Maker) -> None:
    made = make(Scene(frames=12))

    image = cv2.imread(str(made.path / "thumbnail.jpg"))

    assert image.shape == (48, 64, 3)
    assert float(np.median(image)) == pytest.approx(grey_of(4), abs=6)


def test_the_thumbnail_prefers_pictures_without_a_face(make: Maker) -> None:
    made = make(Scene(frames=12), boxes=(Box(4, 0, 0, 10, 10), Box(0, 0, 0, 10, 10)))

    image = cv2.imread(str(made.path / "thumbnail.jpg"))

    assert float(np.median(image)) == pytest.approx(grey_of(8), abs=6)


@pytest.mark.parametrize(("streams", "word"), [(("mesh",), "recoloured"), ((), "dropped")])
def test_the_verdict_says_what_became_of_the_colours_of_the_mesh(make: Maker, streams, word: str) -> None:
    made = make(Scene(frames=3, streams=frozenset(streams)))

    assert made.outcome.privacy is not None
    assert made.outcome.privacy["colours"] == word


def test_the_verdict_and_the_boxes_are_recorded(make: Maker) -> None:
    made = make(Scene(frames=6), boxes=(Box(1, 8, 6, 20, 18), Box(4, 2, 2, 30, 30)))

    assert made.outcome.privacy is not None
    assert {name: made.outcome.privacy[name] for name in PASSED} == PASSED
    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        assert file["/privacy"].attrs["audit"] == "passed"
        assert json.loads(file["/privacy"].attrs["record"]) == dict(made.outcome.privacy)
        assert file["/privacy/boxes"][()].tolist() == [[8, 6, 20, 18], [2, 2, 30, 30]]
        assert file["/privacy/frame_index"][()].tolist() == [1, 4]
        assert file["/privacy/source_index"][()].tolist() == [1, 4]


def test_the_video_carries_no_name_of_a_file(make: Maker) -> None:
    made = make(Scene(frames=3), file_name="zebedees_secret_kitchen.mcap")

    with av.open(str(made.path / "rgb.mp4")) as container:
        assert "zebedee" not in str(dict(container.metadata))


def test_faces_plates_and_drawn_areas_are_told_apart(make: Maker) -> None:
    drawn = Box(3, 2, 2, 9, 9, source="redaction", label=None)
    made = make(Scene(frames=6), boxes=(Box(1, 8, 6, 20, 18), Box(2, 8, 6, 20, 18, label="plate"), drawn))

    with EpisodeBundle.open(made.path) as bundle:
        assert bundle.face_boxes.label.tolist() == [0, 1, 255]
    with h5py.File(made.path / "annotation.hdf5", "r+") as file:
        assert file["/privacy"].attrs["label_words"] == "face,plate"
        del file["/privacy/label"]
    with EpisodeBundle.open(made.path) as earlier:
        assert earlier.face_boxes.label.tolist() == [255, 255, 255]
