"""What a loop of one's own costs: CPU time of each part per frame, and whether memory grows with the length.

Usage: python benchmarks/scripting.py [SECONDS ...]

Works through demo recordings of 640x360 at 15 pictures a second, each length (default 10 and 60 s) in a process of its
own: read, blur, read hands, hand both in, export with the Rerun file. Ten frames tell what the other face model costs.
Memory is the largest at any time; models are part of it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from process_cost import peak_mb

from episode_assets.demo import DemoConfig, write_demo
from episode_assets.scripting import FaceBlurrer, HandTracker, MCAPReader, Visualizer

MODELS = ("centerface", "blazeface")
FRAMES_OF_OTHERS = 10


class Clock:
    """CPU seconds by name."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)

    def of(self, name: str, work: Callable[[], Any]) -> Any:
        """Do some work, and count what it costs under a name."""
        start = time.process_time()
        result = work()
        self.spent[name] += time.process_time() - start
        return result


def main() -> None:
    lengths = [float(word) for word in sys.argv[1:] if word != "--one"] or [10.0, 60.0]
    if "--one" in sys.argv:
        measure(lengths[0])
        return
    print("length s | ms per frame: read, centerface, hands, hand in, export | peak MB loop, export")
    for seconds in lengths:
        subprocess.run([sys.executable, __file__, "--one", str(seconds)], check=True)
    others()


def measure(seconds: float) -> None:
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder, recording(folder, seconds) as session:
        blur, tracker, viz = FaceBlurrer(), HandTracker(), Visualizer(session)
        frames = session.frames()
        while (frame := clock.of("read", lambda: next(frames, None))) is not None:
            blurred = clock.of("blur", lambda frame=frame: blur.blur(frame))
            hands = clock.of("hands", lambda frame=frame: tracker.detect_hands(frame))
            clock.of("hand in", lambda frame=frame, rgb=blurred: session.add_rgb_frame(frame.index, rgb))
            viz.log_frame(frame, hands=hands)
        loop_mb = peak_mb("self")
        clock.of("export", lambda: session.export(Path(folder, "out"), visualizer=viz))
        count = session.num_rgb_frames
    costs = ", ".join(
        f"{1000 * clock.spent[name] / count:.1f}" for name in ("read", "blur", "hands", "hand in", "export")
    )
    print(f"{seconds:8.0f} | {costs} | {loop_mb:.0f}, {peak_mb('self'):.0f}")


def others() -> None:
    with tempfile.TemporaryDirectory() as folder, recording(folder, 1.0) as session:
        frames = [frame for frame in session.frames() if frame.index < FRAMES_OF_OTHERS]
        for model in MODELS:
            blur, clock = FaceBlurrer(model=model), Clock()
            blur.blur(frames[0])
            clock.of(model, lambda blur=blur: blur.blur_batch(frames))
            print(f"{model}: {1000 * clock.spent[model] / len(frames):.1f} ms per frame")


def recording(folder: str, seconds: float) -> MCAPReader:
    path = Path(folder, "demo.mcap")
    write_demo(path, config=DemoConfig(seconds=seconds, width=640, height=360))
    return MCAPReader(path, scratch=folder)


if __name__ == "__main__":
    main()
