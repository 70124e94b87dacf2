"""Video without a detour: JPEG to YUV planes, planes to segments, segments to an mp4 with true stamps, and back.

PyAV is used here and nowhere else. A picture stays in limited-range BT.601 planes from decoder to encoder;
RGB is made for models only. What is in the pictures is none of this room's business: blur belongs in
`anonymization`.
"""

from __future__ import annotations

import av

from episode_assets.video.codecs import available_codecs
from episode_assets.video.concatenation import concatenate
from episode_assets.video.decoder import VideoDecoder
from episode_assets.video.decoder_cache import DecoderCache
from episode_assets.video.decoding import decode_picture
from episode_assets.video.depth_codes import HOLE_CODE, LARGEST_CODE, DepthCoder, DepthUnit
from episode_assets.video.depth_video import DepthVideoWriter, decode_depth_codes
from episode_assets.video.encoder_arguments import EncoderArgument, config_from_arguments, encoder_arguments
from episode_assets.video.encoder_config import DepthEncoderConfig, RGBEncoderConfig
from episode_assets.video.encoding import resolved
from episode_assets.video.faults import (
    FrameOutOfRange,
    FrameTimestampError,
    NotOnKeyFrame,
    ParameterSetMismatch,
    UndecodablePicture,
    UndecodableVideo,
)
from episode_assets.video.frames import Image
from episode_assets.video.image_folder import encode_image_folder, read_image
from episode_assets.video.info_block import config_from_info, encoder_block, info_block
from episode_assets.video.joining import join_segments
from episode_assets.video.lookup import Output, Seconds, decode_at, iterate_at
from episode_assets.video.packets import EncodedPicture, encoded_pictures, streamable_codec
from episode_assets.video.picture import Picture
from episode_assets.video.probing import AudioFacts, VideoProbe, probe, video_duration
from episode_assets.video.reading import decode_frames
from episode_assets.video.reencoding import Reencoded, Trim, reencode
from episode_assets.video.retiming import VideoSpan, check_copyable, retime_copy
from episode_assets.video.rgb import encode_jpeg, picture_to_rgb, write_jpeg
from episode_assets.video.segments import Segment, SegmentEncoder
from episode_assets.video.sequences import decode_pictures
from episode_assets.video.streaming import CameraOutput, StreamedVideo, StreamingEncoder, WhenFull
from episode_assets.video.writing import VideoWriter, encode_frames

# libav writes to stderr from its own threads; errors reach us as exceptions all the same.
av.logging.set_level(av.logging.PANIC)

__all__ = [
    "HOLE_CODE",
    "LARGEST_CODE",
    "AudioFacts",
    "CameraOutput",
    "DecoderCache",
    "DepthCoder",
    "DepthEncoderConfig",
    "DepthUnit",
    "DepthVideoWriter",
    "EncodedPicture",
    "EncoderArgument",
    "FrameOutOfRange",
    "FrameTimestampError",
    "Image",
    "NotOnKeyFrame",
    "Output",
    "ParameterSetMismatch",
    "Picture",
    "RGBEncoderConfig",
    "Reencoded",
    "Seconds",
    "Segment",
    "SegmentEncoder",
    "StreamedVideo",
    "StreamingEncoder",
    "Trim",
    "UndecodablePicture",
    "UndecodableVideo",
    "VideoDecoder",
    "VideoProbe",
    "VideoSpan",
    "VideoWriter",
    "WhenFull",
    "available_codecs",
    "check_copyable",
    "concatenate",
    "config_from_arguments",
    "config_from_info",
    "decode_at",
    "decode_depth_codes",
    "decode_frames",
    "decode_picture",
    "decode_pictures",
    "encode_frames",
    "encode_image_folder",
    "encode_jpeg",
    "encoded_pictures",
    "encoder_arguments",
    "encoder_block",
    "info_block",
    "iterate_at",
    "join_segments",
    "picture_to_rgb",
    "probe",
    "read_image",
    "reencode",
    "resolved",
    "retime_copy",
    "streamable_codec",
    "video_duration",
    "write_jpeg",
]
