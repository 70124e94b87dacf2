"""Hand poses of a recording: the computation behind the asset `hand_poses`, from chunks to the written files.

Reads as the order of the work: look at the pictures chunk by chunk, understand whole tracks, write.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from episode_assets.chunks import map_chunks, plan_chunks
from episode_assets.hands.backends import PRECOMPUTED, has_mano, options_of
from episode_assets.hands.camera import intrinsics_of, or_assumed
from episode_assets.hands.chunkwork import ChunkResult, HandWorker
from episode_assets.hands.config import HandPoseConfig
from episode_assets.hands.filling import find_holes
from episode_assets.hands.findings import Hands, Seen
from episode_assets.hands.given import lay_out, read_samples, unused_notes
from episode_assets.hands.given_file import HandsFile
from episode_assets.hands.given_rows import given_table
from episode_assets.hands.joining import Piece, bridge, stitch, without_short, without_weak_ends
from episode_assets.hands.mano_rows import mano_table
from episode_assets.hands.placing import place_tracks
from episode_assets.hands.report import outcome_of, outcome_of_given
from episode_assets.hands.rows import frames_table, hands_table
from episode_assets.hands.sides import Owners, decide_owners
from episode_assets.hands.sightings import Sightings, no_sightings
from episode_assets.hands.smoothing import smooth_tracks
from episode_assets.hands.tables import FRAMES_FILE, HANDS_FILE, MANO_FILE, UPPER_BODY_FILE, write_table
from episode_assets.hands.turning import turn_intrinsics, turn_sightings, turned_sizes, usual_turns
from episode_assets.hands.upper_body import upper_body_table
from episode_assets.outcome import Outcome
from episode_assets.progress import Progress, silent
from episode_assets.recording import RecordingView

_STAGE = "hands"
_SECOND_NS = 1_000_000_000


def estimate_hands(
    view: RecordingView,
    directory: Path,
    *,
    config: HandPoseConfig | None = None,
    beside: HandsFile | None = None,
    workers: int = 1,
    progress: Progress = silent,
) -> Outcome:
    """Find the hands of a recording and write `hands.parquet` and `frames.parquet`.

    Some backends add `mano.parquet`, and the settings may ask for `upper_body.parquet`.

    Works on the recorded pictures and the raw depth. Gives the same bytes for any number of workers.

    Args:
        view: The scanned recording.
        directory: Empty directory that takes the files.
        config: Settings; the defaults if absent.
        beside: The file of hands beside the recording, which `precomputed` takes where it names nothing else.
        workers: Processes to use.
        progress: Told the finished frames.

    Raises:
        MissingStream: The recording has no pictures, or brings no hands that were asked for.
        ModelMissing: A weight file or the runtime is not there.
        BadConfig: The configuration names an unknown backend.
        BadRecording: The recording is not the file that was scanned, or the hands that it brings cannot be used.
    """
    config = config or HandPoseConfig()
    if config.backend == PRECOMPUTED:
        return _given(view, directory, beside, config=config, workers=workers, progress=progress)
    return _found(view, directory, config=config, workers=workers, progress=progress)


def _found(
    view: RecordingView, directory: Path, *, config: HandPoseConfig, workers: int, progress: Progress
) -> Outcome:
    """Look for hands in the pictures."""
    seen = _look(view, config=config, workers=workers, progress=progress)
    hands = _understand(view, seen, config=config)
    table = hands_table(view, seen, hands, config=config)
    _write(directory, view, seen, table, config=config)
    if has_mano(config):
        write_table(directory / MANO_FILE, mano_table(view, seen, hands, config=config))
    return outcome_of(view, seen, table, config=config, calibration_reasons=hands.calibration_reasons)


def _given(
    view: RecordingView,
    directory: Path,
    beside: HandsFile | None,
    *,
    config: HandPoseConfig,
    workers: int,
    progress: Progress,
) -> Outcome:
    """Take hands that are known, and look at the pictures for their sizes and for whether they decode only."""
    samples, notes = read_samples(view, config.precomputed, beside)
    seen = _look(view, config=config, workers=workers, progress=progress)
    given = lay_out(view, seen, samples)
    table = given_table(view, seen, given, backend=config.backend)
    _write(directory, view, seen, table, config=config)
    return outcome_of_given(
        view,
        seen,
        table,
        config=config,
        calibration_reasons=given.calibration_reasons,
        notes=[*notes, *unused_notes(samples, given)],
    )


def _write(
    directory: Path, view: RecordingView, seen: Seen, hands: pa.Table, *, config: HandPoseConfig
) -> None:
    write_table(directory / HANDS_FILE, hands)
    write_table(directory / FRAMES_FILE, frames_table(view, seen))
    if config.upper_body:
        write_table(directory / UPPER_BODY_FILE, upper_body_table(view, seen, hands))


def _look(view: RecordingView, *, config: HandPoseConfig, workers: int, progress: Progress) -> Seen:
    """Run the chunks and stitch what they found."""
    rgb = view.rgb
    options_of(config).require()
    gap_before = np.asarray(rgb.gap_before)
    chunks = plan_chunks(
        rgb.stamp_ns,
        gap_before,
        length=config.chunk_frames,
        margin_ns=round(config.margin_s * _SECOND_NS),
    )
    total = len(rgb.stamp_ns)
    seen = Seen(
        no_sightings(),
        np.zeros((total, 2), np.int32),
        np.zeros(total, bool),
        np.cumsum(gap_before).astype(np.int64),
        turns=_turns(view, config),
    )
    worker = HandWorker(view.directory, view.source, config, seen.turns)
    results = map_chunks(worker, chunks, workers=workers)

    def pieces() -> Iterator[Piece]:
        progress(_STAGE, 0, total)
        for result in results:
            _note(seen, result)
            progress(_STAGE, result.piece.stop, total)
            yield result.piece

    seen.sightings = stitch(pieces())
    return seen


def _turns(view: RecordingView, config: HandPoseConfig) -> int:
    """Return the quarter turns by which the scene is turned: as set, or as most pictures of the recording are."""
    if config.scene_turned != "auto":
        return int(config.scene_turned) // 90
    return usual_turns(view.attitude(view.rgb.stamp_ns))


def _note(seen: Seen, result: ChunkResult) -> None:
    own = slice(result.piece.start, result.piece.stop)
    seen.sizes[own], seen.is_key[own] = result.sizes, result.is_key
    seen.undecodable_depth += result.undecodable_depth
    seen.depth_misfits += result.depth_misfits


def _understand(view: RecordingView, seen: Seen, *, config: HandPoseConfig) -> Hands:
    """Join tracks, decide whose they are, place them in space, and find the holes to fill."""
    stamps_ns = view.rgb.stamp_ns
    rows = bridge(seen.sightings, run=seen.run, max_hole_frames=config.max_interpolated_frames)
    if not rows.is_boxed:
        rows = without_weak_ends(rows, sure=config.start_presence, passable=config.end_presence)
    rows = without_short(rows, min_frames=config.min_track_frames)
    K, reasons = intrinsics_of(view.camera_info, stamps_ns[rows.position], seen.sizes[rows.position])
    owners = _owners(rows, or_assumed(K, seen.sizes[rows.position]), seen, config=config)
    if config.others == "drop":
        kept = np.flatnonzero(owners.is_wearer)
        rows, K, owners = rows.take(kept), K[kept], Owners(owners.is_right[kept], owners.is_wearer[kept])
    placed = place_tracks(rows, K, stamps_ns[rows.position], config=config)
    if config.smoothing == "track":
        rows, placed = smooth_tracks(
            rows,
            placed,
            K,
            stamps_ns[rows.position],
            seen.run[rows.position],
            reach_s=config.smoothing_s,
        )
    holes = find_holes(
        rows.track,
        rows.position,
        stamps_ns=stamps_ns,
        run=seen.run,
        is_decodable=seen.is_decodable,
        max_frames=config.max_interpolated_frames,
    )
    return Hands(rows, owners, placed, holes, reasons)


def _owners(rows: Sightings, K: NDArray[np.float64], seen: Seen, *, config: HandPoseConfig) -> Owners:
    """Decide whose hands they are as the pictures stand upright, because arms come from below there."""
    sizes = turned_sizes(seen.sizes[rows.position].astype(np.float64), seen.turns)
    upright = turn_sightings(rows, -seen.turns, sizes)
    return decide_owners(upright, turn_intrinsics(K, -seen.turns, sizes), reach_m=config.wearer_reach_m)
