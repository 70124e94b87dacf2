"""Which public pieces of the computations get a clock of `stage_clock`, and under which name."""

from __future__ import annotations

from stage_clock import Piece

STAGES = ("decode", "faces", "blur", "encode", "audit", "hands", "signals", "rest")
"""Stages whose time grows with the recording, in the order of the table."""

START = "start"
"""Loading and compiling networks, and their known answers: once in each process, whatever the length."""


def blur_pieces() -> tuple[Piece, ...]:
    """Return the pieces of the face blur."""
    from episode_assets.anonymization import groups, looking
    from episode_assets.anonymization.groups import Auditor
    from episode_assets.anonymization.looking import Seeker
    from episode_assets.anonymization.means import Means
    from episode_assets.anonymization.signals import SignalMeter
    from episode_assets.video import Segment, SegmentEncoder

    return (
        ("decode", looking, "decode_pictures"),
        ("faces", Seeker, "__call__"),
        ("blur", groups, "fill"),
        ("blur", groups, "blur_rectangles"),
        ("blur", groups, "drawn_rectangles"),
        ("encode", SegmentEncoder, "__init__"),
        ("encode", SegmentEncoder, "encode"),
        ("encode", SegmentEncoder, "finish"),
        ("audit", Segment, "decode"),
        ("audit", Auditor, "judged"),
        ("audit", groups, "kept_detail"),
        ("audit", groups, "left_in"),
        ("signals", SignalMeter, "measure"),
        ("signals", groups, "colour_counts"),
        (START, Means, "detector"),
        (START, Means, "search"),
        (START, Means, "auditor"),
    )


def hand_pieces() -> tuple[Piece, ...]:
    """Return the pieces of the hands, and what compiles networks for both."""
    from episode_assets.hands import chunkwork
    from episode_assets.models.openvino_runtime import load_openvino

    return (
        ("decode", chunkwork, "decode_pictures"),
        ("hands", chunkwork, "process_chunk"),
        (START, chunkwork, "load_backend"),
        (START, load_openvino().Core, "compile_model"),
    )
