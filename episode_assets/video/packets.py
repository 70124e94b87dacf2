"""The encoded pictures of a video file one by one, as players and viewers take them without the file around them.

Nothing is decoded or encoded. Cutting and joining files belongs in `retiming` and `joining`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from av.bitstream import BitStreamFilterContext

from episode_assets.errors import BadVideo
from episode_assets.video.probing import opened

_TO_STREAM = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb", "av1": "null"}
"""libav's filter by codec: start codes and parameter sets in front of key frames instead of lengths and a header.
AV1 has its sequence header in the key frames of a file already."""


@dataclass(frozen=True)
class EncodedPicture:
    """One picture that a decoder takes as it is.

    Attributes:
        data: Annex B bytes (H.264, H.265) or OBUs (AV1), with the parameter sets where it is a key frame.
        is_key: Decoding may start here.
    """

    data: bytes
    is_key: bool


def streamable_codec(path: Path) -> str | None:
    """Return libav's codec name of a video file where `encoded_pictures` can read it, else None.

    Raises:
        UndecodableVideo: The file is missing or no video.
    """
    with opened(path) as (_, stream):
        name = str(stream.codec_context.name)
    name = {"libdav1d": "av1", "libaom-av1": "av1"}.get(name, name)
    return name if name in _TO_STREAM else None


def encoded_pictures(path: Path) -> Iterator[EncodedPicture]:
    """Yield the pictures of a video in order, one at a time in memory.

    Raises:
        UndecodableVideo: The file is missing, no video, or breaks off.
        BadVideo: Its pictures are stored in another order than they are shown (B-frames), or its codec is another one
            than H.264, H.265 and AV1.
    """
    codec = streamable_codec(path)
    if codec is None:
        raise BadVideo("the codec has no form outside of a file", where=path.name)
    with opened(path) as (container, stream):
        as_stream = BitStreamFilterContext(_TO_STREAM[codec], in_stream=stream)
        latest: int | None = None
        for packet in container.demux(stream):
            # The packet without bytes at the end asks the filter for what it holds back, which is nothing.
            for changed in as_stream.filter(packet if packet.size else None):
                _check_order(latest, changed, where=path.name)
                latest = changed.pts
                yield EncodedPicture(bytes(changed), bool(changed.is_keyframe))


def _check_order(latest: int | None, packet: Any, *, where: str) -> None:
    if latest is not None and packet.pts <= latest:
        raise BadVideo(
            "pictures are stored in another order than they are shown",
            where=where,
            remedy="encode without B-frames (bf=0)",
        )
