"""The pictures as H.264 in CompressedVideo messages of the Foxglove SDK; everything else as `sdk` writes it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from foxglove import Context, open_mcap

from episode_assets_tests.recording.scene import foxglove
from episode_assets_tests.recording.scene.scene import OPTICAL, Scene
from episode_assets_tests.recording.scene.sdk import log
from episode_assets_tests.recording.scene.trees import Message, Stamp

GROUP = 8
"""Pictures from one key frame to the next."""


def write(path: Path, scene: Scene) -> None:
    """Write the streams that Foxglove has schemas for, pictures as video."""
    packets = encode(scene.jpegs)
    context, opened = Context(), dict[str, Any]()
    with open_mcap(str(path), context=context) as writer:
        for event in scene.events:
            if event.stream == "rgb":
                message = _video(packets[event.index], event.stamp_ns)
            elif event.stream in foxglove.MESSAGES:
                message = foxglove.MESSAGES[event.stream](scene, event.index, event.stamp_ns)
            else:
                continue
            log(opened, context, event.topic, message, event.log_ns)
        writer.write_metadata("session_metadata", scene.metadata)


def _video(packet: bytes, stamp_ns: int) -> Message:
    fields = {"timestamp": Stamp(stamp_ns), "frame_id": OPTICAL, "data": packet, "format": "h264"}
    return Message("CompressedVideo", fields)


def encode(jpegs: Sequence[bytes]) -> list[bytes]:
    """Encode pictures to one Annex-B packet each, with parameter sets before every key frame and no B-frames."""
    frames = [_limited_range(jpeg) for jpeg in jpegs]
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
    encoder.time_base = Fraction(1, 1000)
    encoder.thread_count = 1
    encoder.options = {
        "crf": "2",
        "preset": "veryfast",
        "tune": "zerolatency",
        "bf": "0",
        "g": str(GROUP),
        "x264-params": "repeat-headers=1:annexb=1",
    }
    packets = []
    for number, frame in enumerate(frames):
        frame.pts, frame.time_base = number * 66, encoder.time_base
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    packets += [bytes(packet) for packet in encoder.encode()]
    assert len(packets) == len(jpegs)
    return packets


def _limited_range(jpeg: bytes) -> av.VideoFrame:
    """Decode a JPEG to its planes, which keeps the chroma as it is, and bring them into the range of video."""
    (frame,) = av.CodecContext.create("mjpeg", "r").decode(av.Packet(jpeg))
    return frame.reformat(format="yuv420p", src_color_range="JPEG", dst_color_range="MPEG")
