"""Our side of `lerobot.py`: one piece of work per process, so that each tells its own cost.

Usage: python lerobot_by_us.py PART DIRECTORY REPORT [SETTINGS], where PART is

- make: write what fragments read (an existing bundle of 900 pictures of 1280x720, hands, quality report, colour
  histograms) into DIRECTORY; not measured,
- copy: fragment and dataset from what `make` wrote, the video copied; frames that anybody decoded are counted,
- encode: the same with every frame encoded anew by SETTINGS, fields of RGBEncoderConfig as JSON,
- stream: encode ready arrays by SETTINGS into an mp4, as LeRobot's writer is given them,
- remux: copy the packets of the bundle's video into another mp4 and do nothing else,
- fragments: write the fragments of as many recordings of 30 s of 320x180 as SETTINGS says, ten of them different; not
  measured,
- thousand: pack what `fragments` wrote.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from pan import Pan
from process_cost import WorkCosts, peak_mb

from episode_assets.lerobot import Fragment, Recipe, pack_dataset
from episode_assets.video import Picture, RGBEncoderConfig
from episode_assets_tests.lerobot.archive import Artifacts, make_scene, stamps, write_artifacts

WIDTH, HEIGHT, FRAMES, FPS = 1280, 720, 900, 15
SMALL_WIDTH, SMALL_HEIGHT, SMALL_FRAMES, DIFFERENT = 320, 180, 450, 10
RECORDING = "measured-00000000"

Told = dict[str, Any]


def make(directory: Path) -> Told:
    artifacts(directory, RECORDING, frames=FRAMES, width=WIDTH, height=HEIGHT)
    return {"video_bytes": (directory / "bundle/rgb.mp4").stat().st_size}


def artifacts(directory: Path, recording: str, *, frames: int, width: int, height: int) -> Artifacts:
    """Write what a fragment reads, the video as our own default encodes it."""
    pan = Pan(frames, width=width, height=height)
    scene = make_scene(
        stamp_ns=stamps(frames, fps=FPS),
        g=15,
        preset="veryfast",
        width=width,
        height=height,
        picture=lambda number: planes(pan.picture(number)),
    )
    return write_artifacts(directory, scene, recording_id=recording)


def planes(rgb: NDArray[np.uint8]) -> Picture:
    height, width = rgb.shape[:2]
    flat = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
    u, v = flat[height:].reshape(2, height // 2, width // 2)
    return Picture(y=flat[:height], u=u, v=v, true_width=width, true_height=height)


def copy(directory: Path) -> Told:
    return packed(directory, Path(tempfile.mkdtemp(prefix="copied ", dir=directory)), Recipe())


def encode(directory: Path, settings: Told) -> Told:
    recipe = Recipe.from_mapping(
        {"name": "encoded", "camera_view": {"encode": "always", "encoder": settings}}
    )
    return packed(directory, directory / f"encoded {settings['vcodec']}", recipe)


def packed(artifacts: Path, directory: Path, recipe: Recipe) -> Told:
    """Write fragment and dataset of the recording and tell what that cost, a tiny one having loaded all code."""
    made = Artifacts(
        RECORDING,
        artifacts / "bundle",
        artifacts / "hands",
        artifacts / "qc",
        artifacts / "blurred",
    )
    with tempfile.TemporaryDirectory() as tiny:
        scene = write_artifacts(Path(tiny) / "scene", make_scene(), recording_id=RECORDING)
        into_dataset(scene, Path(tiny), recipe)
    decoded = DecodedFrames()
    _ = made.bundle_digest  # a store has it in the bundle's manifest
    costs = WorkCosts()
    into_dataset(made, directory, recipe)
    told: Told = costs.told()
    info = json.loads((directory / "dataset/meta/info.json").read_text(encoding="utf-8"))
    video = next(directory.glob("dataset/videos/*/*/*.mp4"))
    return told | {
        "frames": info["total_frames"],
        "decoded": decoded.count,
        "video_bytes": video.stat().st_size,
    }


def into_dataset(made: Artifacts, directory: Path, recipe: Recipe) -> None:
    """Write the fragment of a recording and the dataset of that alone."""
    (directory / "dataset").mkdir(parents=True)
    fragment, _ = made.fragment(directory / "fragment", recipe=recipe)
    pack_dataset([fragment], directory / "dataset", recipe=recipe)


class DecodedFrames:
    """Counts the frames that come out of any decoder that PyAV opens from now on."""

    def __init__(self) -> None:
        self.count = 0
        opened, self._context = av.open, av.CodecContext
        av.open = lambda *args, **options: _Counted(opened(*args, **options), self)
        av.CodecContext = self  # type: ignore[assignment,misc]

    def create(self, *args: Any, **options: Any) -> _Counted:
        """Stand in for `av.CodecContext.create`."""
        return _Counted(self._context.create(*args, **options), self)


class _Counted:
    """Stands for a container or a decoder and passes everything on."""

    def __init__(self, inner: Any, counter: DecodedFrames) -> None:
        self._inner, self._counter = inner, counter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("_inner", "_counter"):
            super().__setattr__(name, value)
        else:
            setattr(self._inner, name, value)

    def __enter__(self) -> _Counted:
        self._inner.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._inner.__exit__(*error)

    def decode(self, *args: Any) -> Any:
        for frame in self._inner.decode(*args):
            self._counter.count += 1
            yield frame


def stream(directory: Path, settings: Told) -> Told:
    from episode_assets.video import CameraOutput, StreamingEncoder

    out = directory / f"streamed {settings['vcodec']}.mp4"
    pan = Pan(FRAMES, width=WIDTH, height=HEIGHT)
    costs = WorkCosts()
    config = RGBEncoderConfig.from_mapping(settings)
    with StreamingEncoder({"ego": CameraOutput(out, config)}, fps=FPS) as encoder:
        for number in range(FRAMES):
            encoder.feed({"ego": pan.picture(number)}, is_owned=True)
        frames = encoder.finish()["ego"].probe.frames
    return costs.told() | {"frames": frames, "video_bytes": out.stat().st_size}


def remux(directory: Path) -> Told:
    source, out = directory / "bundle/rgb.mp4", directory / "remuxed.mp4"
    costs = WorkCosts()
    with av.open(str(source)) as given, av.open(str(out), "w", options={"movflags": "faststart"}) as taken:
        template = given.streams.video[0]
        copied = taken.add_stream_from_template(template)
        copied.time_base = Fraction(1, FPS)
        frames = 0
        for packet in given.demux(template):
            if packet.size:
                packet.stream = copied
                taken.mux_one(packet)
                frames += 1
    return costs.told() | {"frames": frames, "video_bytes": out.stat().st_size}


def fragments(directory: Path, count: int) -> Told:
    made = [_different(directory / f"different{number}", number) for number in range(DIFFERENT)]
    for number in range(count):
        _clone(made[number % DIFFERENT], directory / f"recording{number:05d}", number)
    return {}


def _different(directory: Path, number: int) -> Fragment:
    recording = f"different{number}-00000000"
    size = {"frames": SMALL_FRAMES + 1, "width": SMALL_WIDTH, "height": SMALL_HEIGHT}
    made = artifacts(directory, recording, **size)
    return made.fragment(directory / "fragment", recipe=Recipe(), task=f"task {number}")[0]


def _clone(fragment: Fragment, directory: Path, number: int) -> None:
    """Let a fragment and its video stand for one more recording."""
    shutil.copytree(fragment.directory, directory)
    os.link(fragment.video(), directory.with_suffix(".mp4"))
    path = directory / "episodes.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["recording_id"] = directory.name
    document["first_stamp_ns"] += number * 10**12
    path.write_text(json.dumps(document), encoding="utf-8")


def thousand(directory: Path) -> Told:
    given = [
        Fragment(folder.name, folder, "f" * 64, folder.with_suffix(".mp4"))
        for folder in sorted(directory.glob("recording*/"))
    ]
    (directory / "dataset").mkdir()
    costs = WorkCosts()
    outcome = pack_dataset(given, directory / "dataset", recipe=Recipe())
    told = costs.told() | {"peak_mb": peak_mb("self")}
    return told | {key: outcome.summary[key] for key in ("episodes", "rows", "bytes")}


PARTS: dict[str, Callable[..., Told]] = {
    part.__name__: part for part in (make, copy, encode, stream, remux, fragments, thousand)
}


def main() -> None:
    part, directory, report = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    told = PARTS[part](directory, *map(json.loads, sys.argv[4:]))
    report.write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main()
