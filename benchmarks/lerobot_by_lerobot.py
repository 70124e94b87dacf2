"""LeRobot's own writer with streaming encoding: pictures and vectors of one episode, as `lerobot.py` runs it.

Usage: python -P lerobot_by_lerobot.py DIRECTORY REPORT FRAMES FPS SETTINGS QUEUE, in the environment of
`make verify-lerobot`; without -P, Python takes the benchmark of that name for the package. SETTINGS are fields of its
RGBEncoderConfig as JSON. Pictures are handed over as ready arrays, as fast as it takes them. REPORT gets the cost of
everything between the first row and the finished dataset.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
os.environ["HF_HUB_OFFLINE"] = "1"

import av
import numpy as np
from lerobot.configs.video import RGBEncoderConfig
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from pan import Pan
from process_cost import WorkCosts

CAMERA, WIDTH, HEIGHT, STATE = "observation.images.ego", 1280, 720, 18


def main() -> None:
    directory, report = Path(sys.argv[1]), Path(sys.argv[2])
    frames, fps, queue = int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[6])
    vector = {"dtype": "float32", "shape": (STATE,), "names": [f"n{i}" for i in range(STATE)]}
    camera = {"dtype": "video", "shape": (HEIGHT, WIDTH, 3), "names": ["height", "width", "channels"]}
    dataset = LeRobotDataset.create(
        "local/measured",
        fps,
        {CAMERA: camera, "observation.state": vector, "action": vector},
        root=directory,
        rgb_encoder=RGBEncoderConfig(**json.loads(sys.argv[5])),
        streaming_encoding=True,
        encoder_queue_maxsize=queue,
    )
    pan, states = Pan(frames, width=WIDTH, height=HEIGHT), np.zeros((frames + 1, STATE), np.float32)
    costs = WorkCosts()
    for i in range(frames):
        row = {
            CAMERA: pan.picture(i),
            "observation.state": states[i],
            "action": states[i + 1],
            "task": "measure",
        }
        dataset.add_frame(row)
    dataset.save_episode()
    dataset.finalize()
    told = costs.told()
    video = next(directory.glob("videos/*/*/*.mp4"))
    with av.open(str(video)) as container:
        kept = sum(1 for packet in container.demux(video=0) if packet.size)
    told |= {"frames": kept, "video_bytes": video.stat().st_size}
    report.write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main()
