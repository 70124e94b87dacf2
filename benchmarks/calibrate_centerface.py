"""Measures in which ranges the tensors of CenterFace lie, for its 8-bit form, and writes them down.

Run: python benchmarks/calibrate_centerface.py [--write]. Without --write the table goes to the standard output. The
pictures are those that scikit-image brings along, its small grey faces put together to a sheet, and frames of the
demo: none is of anybody who did not agree, and none is of the sample data on which recall is measured.

The range of a tensor is the largest over all pictures, in three sizes each. Percentiles cut off the strongest answers,
which are those that faces give.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from episode_assets import models
from episode_assets.anonymization import centerface_ranges
from episode_assets.anonymization.detectors import RGB
from episode_assets.demo import DemoConfig, write_demo
from episode_assets.models.openvino_runtime import ONE_THREAD, load_openvino
from episode_assets.recording import RecordingConfig, RecordingView, scan_recording
from episode_assets.video import decode_picture, picture_to_rgb

LONG_SIDES_PX = (480, 640, 1024)
HEADS = frozenset({"536", "538", "539", "540"})
"""The last layers. They stay in float32: they cost little, and scores and sizes are read off them."""
READERS = {"Convolution": 1, "GroupConvolution": 1, "ConvolutionBackpropData": 1, "Add": 2}
"""Layers that work with 8-bit numbers, and how many of the tensors that they read are no weights."""
SETTINGS = {**ONE_THREAD, "INFERENCE_PRECISION_HINT": "f32"}


def pictures() -> Iterator[RGB]:
    package = find_spec("skimage")
    assert package is not None and package.submodule_search_locations is not None
    folder = Path(package.submodule_search_locations[0]) / "data"
    for file in sorted([*folder.glob("*.png"), *folder.glob("*.jpg")]):
        picture = cv2.imread(str(file))
        if picture is not None:
            yield np.ascontiguousarray(picture[:, :, ::-1], np.uint8)
    yield face_sheet(folder / "lfw_subset.npy")
    yield from demo_frames()


def face_sheet(file: Path) -> RGB:
    """100 grey faces of 25x25 pixels, twice as large and side by side (the second hundred of the file shows none)."""
    faces = np.load(file)[:100]
    sheet = faces.reshape(10, 10, *faces.shape[1:]).transpose(0, 2, 1, 3).reshape(250, 250)
    grey = (cv2.resize(sheet, (500, 500)) * 255).clip(0, 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def demo_frames() -> Iterator[RGB]:
    with tempfile.TemporaryDirectory() as name:
        file, folder = Path(name) / "demo.mcap", Path(name) / "tables"
        folder.mkdir()
        write_demo(file, config=DemoConfig(seconds=4.0))
        scan_recording(str(file), folder, recording_id="demo", config=RecordingConfig())
        stream = RecordingView.open(folder, str(file)).rgb
        for position in range(0, len(stream), 30):
            (message,) = stream.read(position, position + 1)
            yield picture_to_rgb(decode_picture(message.format, message.data))


def inputs() -> Iterator[RGB]:
    for picture in pictures():
        for long_side in LONG_SIDES_PX:
            scale = long_side / max(picture.shape[:2])
            height, width = (max(32, round(side * scale / 32) * 32) for side in picture.shape[:2])
            yield np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def watched(model: Any) -> dict[str, Any]:
    """The tensors that layers read, but for the last layers, by their names in the file."""
    found = {}
    for layer in model.get_ordered_ops():
        if layer.get_friendly_name().split("/")[0] in HEADS:
            continue
        sources = [layer.input_value(port) for port in range(READERS.get(layer.get_type_name(), 0))]
        if all(source.get_names() for source in sources):  # what a bias is added to has no name in the file
            found |= {source.get_any_name(): source for source in sources}
    return found


def measured() -> dict[str, tuple[float, float]]:
    openvino = load_openvino()
    core = openvino.Core()
    model = core.read_model(str(models.find("centerface")))
    model.reshape([1, 3, -1, -1])
    tensors = watched(model)
    watching = openvino.Model(list(tensors.values()), model.get_parameters(), "watched")
    request = core.compile_model(watching, "CPU", SETTINGS).create_infer_request()
    low, high = np.full(len(tensors), np.inf), np.full(len(tensors), -np.inf)
    for picture in inputs():
        request.infer([np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32)[None]])
        values = [tensor.data for tensor in request.output_tensors]
        low = np.minimum(low, [value.min() for value in values])
        high = np.maximum(high, [value.max() for value in values])
    return dict(zip(tensors, zip(low.tolist(), high.tolist(), strict=True), strict=True))


def table(ranges: dict[str, tuple[float, float]]) -> str:
    rows = [f'        "{name}": ({low:.4g}, {high:.4g}),' for name, (low, high) in ranges.items()]
    return "\n".join(rows) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="put the table into the package")
    arguments = parser.parse_args()
    rows = table(measured())
    if not arguments.write:
        print(rows, end="")
        return
    module = Path(centerface_ranges.__file__)
    before, mark, rest = module.read_text().partition("    {\n")
    module.write_text(before + mark + rows + rest[rest.index("    }\n") :])


if __name__ == "__main__":
    main()
