"""The search for leaks sees into Rerun files: their videos, the colours of their meshes, and unfinished ones."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from episode_assets.bundle.rerun_columns import Moments
from episode_assets.bundle.rerun_file import RerunFile
from episode_assets.video import encoded_pictures
from episode_assets_tests.leaks import traces

MARKER = (255, 0, 255)


def video_of(path: Path, colour: tuple[int, int, int]) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=15, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(4):
            picture = np.full((48, 64, 3), 90, np.uint8)
            picture[20:40, 20:40] = colour
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_a_colour_is_found_in_the_video_and_in_the_mesh_of_a_rerun_file(tmp_path: Path) -> None:
    folder = tmp_path / "published"
    folder.mkdir()
    corners, triangles = np.eye(3, dtype=np.float32).repeat(6, axis=0), np.array([[0, 6, 12]], np.int32)
    moments = Moments.of_pictures(np.arange(4))
    for name, colour in (("leak", MARKER), ("innocent", (90, 90, 90))):
        video = video_of(tmp_path / f"{name}.mp4", colour)
        with RerunFile(folder / f"{name}-video.rrd", recording_id=name) as file:
            file.log_video(moments, encoded_pictures(video), "h264")
        with RerunFile(folder / f"{name}-mesh.rrd", recording_id=name) as file:
            file.log_mesh(corners, triangles, np.tile(np.array(colour, np.uint8), (18, 1)))
    whole = (folder / "leak-video.rrd").read_bytes()
    (folder / "half-video.rrd").write_bytes(whole[: len(whole) * 2 // 3])

    found = traces(folder, MARKER, tolerance=60, pixels=12)

    assert found == ["half-video.rrd", "leak-mesh.rrd", "leak-video.rrd"]
