"""12-bit depth codes as a lossless video, written an image at a time, and read back.

What codes mean is in `depth_codes`. Stamps, scratch and joining are those of every video here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from episode_assets.errors import BadConfig
from episode_assets.video.depth_codes import Codes
from episode_assets.video.depth_frames import DEPTH_PIX_FMT, codes_of_frame, frame_of_codes
from episode_assets.video.encoder_config import DepthEncoderConfig
from episode_assets.video.joining import join_segments
from episode_assets.video.probing import VideoProbe
from episode_assets.video.reading import decode_raw_frames
from episode_assets.video.segments import SegmentEncoder

SEGMENT_FRAMES = 300
"""Images that are encoded as one piece; the encoded piece is all that is held of them."""


class DepthSegmentEncoder(SegmentEncoder):
    """Encodes the depth codes of one chunk into a `Segment`.

    Args:
        config: How to encode.
        width: Columns of every image.
        height: Rows.

    Raises:
        BadConfig: The encoder does not open with these options, or reorders frames.
    """

    def __init__(self, config: DepthEncoderConfig, *, width: int, height: int) -> None:
        if config.pix_fmt != DEPTH_PIX_FMT:
            raise BadConfig(f"depth codes need pix_fmt {DEPTH_PIX_FMT}, got {config.pix_fmt!r}")
        super().__init__(config, true_width=width, true_height=height)

    def encode_codes(self, codes: Codes, *, pts_us: int) -> None:
        """Encode one image of codes, (H, W) uint16 below 4096; its stamp must advance.

        Raises:
            BadVideo: The size differs, a code is too large, or the stamp does not advance.
        """
        self.encode_frame(frame_of_codes(codes), codes.shape[::-1], pts_us=pts_us)


class DepthVideoWriter:
    """Writes images of codes into an mp4 with true stamps, in a `with` block; memory does not grow with their number.

    Args:
        out: Where to write; scratch of mode 0700 lies beside it meanwhile.
        config: How to encode.
        width: Columns of every image.
        height: Rows.

    Raises:
        BadConfig: The encoder is not there or does not open.
    """

    def __init__(self, out: Path, *, config: DepthEncoderConfig, width: int, height: int) -> None:
        self._out, self._config, self._size = out, config, (width, height)
        self._scratch = TemporaryDirectory(dir=out.parent)
        self._segments: list[Path] = []
        self._encoder: DepthSegmentEncoder | None = None
        self._waiting = 0

    def __enter__(self) -> DepthVideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._encoder = None
        self._scratch.cleanup()

    def add(self, pts_us: int, codes: Codes) -> None:
        """Encode one image, (H, W) uint16 codes; its stamp in microseconds must advance.

        Raises:
            BadVideo: The size differs, or the stamp does not advance.
        """
        if self._encoder is None:
            width, height = self._size
            self._encoder = DepthSegmentEncoder(self._config, width=width, height=height)
        self._encoder.encode_codes(codes, pts_us=pts_us)
        self._waiting += 1
        if self._waiting == SEGMENT_FRAMES:
            self._save(self._encoder)

    def finish(self) -> VideoProbe:
        """Join what was encoded into the mp4.

        Raises:
            BadVideo: Nothing was added, or the stamps of two images do not advance.
        """
        if self._encoder is not None:
            self._save(self._encoder)
        return join_segments(self._segments, self._out)

    def _save(self, encoder: DepthSegmentEncoder) -> None:
        self._segments.append(Path(self._scratch.name) / f"{len(self._segments):06d}")
        encoder.finish().save(self._segments[-1])
        self._encoder, self._waiting = None, 0


def decode_depth_codes(path: Path, indices: Sequence[int] | None = None) -> Iterator[tuple[int, Codes]]:
    """Decode depth codes by frame number, like `decode_frames`.

    Returns:
        Pairs of frame number and codes of the padded size, (H, W) uint16, in increasing order.

    Raises:
        FrameOutOfRange: A number lies outside the video.
        UndecodableVideo: The file cannot be read, or an image does not decode.
    """
    frames = decode_raw_frames(path, indices, (DEPTH_PIX_FMT,))
    return ((index, codes_of_frame(frame)) for index, frame in frames)
