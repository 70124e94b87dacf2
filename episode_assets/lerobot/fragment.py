"""What one recording contributes to the datasets of a recipe: rows, cut points, statistics; video by reference.

A fragment does not know which episode or row of a dataset it will be; `dataset` gives it its numbers and copies the
video. A recording that fits no recipe is a fragment without episodes that says why, so nothing waits for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.bundle import EpisodeBundle
from episode_assets.bundle.unaudited import pictures_among, unverified
from episode_assets.errors import ArtifactDamaged, UnauditedArtifact
from episode_assets.footage import passed_audit
from episode_assets.lerobot.colours import sum_histograms
from episode_assets.lerobot.columns import Column, fragment_columns, schema_of
from episode_assets.lerobot.cuts import REASONS, Cuts, Span, cut_episodes
from episode_assets.lerobot.inputs import QualityVerdict, read_source, read_verdict
from episode_assets.lerobot.labels import NOTHING_SAID, Labels
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.rows import Rows, build_rows, usable_hands
from episode_assets.lerobot.segment_plan import NO_TASKS_BESIDE, SegmentPlan, TaskInputs, plan_segments
from episode_assets.lerobot.source import EpisodeSource
from episode_assets.lerobot.statistics import (
    NAMES,
    Statistics,
    colour_statistics,
    column_statistics,
    element_masks,
)
from episode_assets.lerobot.strict_json import write_json
from episode_assets.lerobot.timing import LeftOut, choose_fps, grid_drift
from episode_assets.outcome import Json, Note, Outcome, Skipped
from episode_assets.progress import Progress, silent
from episode_assets.video import VideoProbe, VideoSpan, probe
from episode_assets.video.probing import opened

ROWS = "rows.parquet"
STATISTICS = "statistics.parquet"
DOCUMENT = "episodes.json"
SCHEMA = "lerobot_fragment"
SCHEMA_VERSION = 2
HISTOGRAM = "histogram"
COLOUR_COUNTS = 3 * 256
"""Counts in a colour histogram: the 256 values of red, green and blue, one after another."""
BUNDLE_VIDEO = "rgb.mp4"
FROM_BUNDLE: Literal["bundle"] = "bundle"
FROM_FRAGMENT: Literal["own"] = "own"
"""Where the frames of an episode lie: in the video of the bundle, or in a file of the fragment."""


@dataclass(frozen=True)
class Fragment:
    """One recording's published contribution, as `pack_dataset` takes it.

    Attributes:
        recording_id: The recording.
        directory: Directory of the fragment.
        digest: Content digest of the fragment.
        bundle_video: rgb.mp4 of the very bundle version that the fragment refers to.
        labels: What people say about the recording.
    """

    recording_id: str
    directory: Path
    digest: str
    bundle_video: Path
    labels: Labels = NOTHING_SAID


def write_fragment(
    bundle: EpisodeBundle,
    hands: Path,
    qc: Path,
    blurred: Path,
    directory: Path,
    *,
    recipe: Recipe,
    bundle_digest: str,
    recording_id: str,
    task: str | None,
    tasks_beside: TaskInputs = NO_TASKS_BESIDE,
    privacy: Mapping[str, Json] | None,
    progress: Progress = silent,
) -> Outcome:
    """Write the fragment of one recording under one recipe; no picture is decoded but those that a captioner sees.

    Args:
        bundle: The opened bundle.
        hands: Directory of the hand_poses artifact.
        qc: Directory of the qc_report artifact; its kept intervals become episodes.
        blurred: Directory of the blurred_rgb artifact, for the colour histograms of the published video.
        directory: Empty directory to write into.
        recipe: What the dataset is made of.
        bundle_digest: Content digest of the bundle, by which the fragment refers to its video.
        recording_id: The recording.
        task: What the wearer does, in words; None where nobody said.
        tasks_beside: What else the recording brings along about its tasks.
        privacy: Privacy block of the blurred video's manifest.
        progress: Told after every episode.

    Returns:
        An outcome with all files as core. A recording that fits nowhere gives no episodes and a note that says why.

    Raises:
        UnauditedArtifact: The pictures have no passed audit.
        ArtifactDamaged: The inputs contradict each other or cannot be read.
        BadVideo: The bundle's video cannot be read.
        BadConfig: The file of tasks beside the recording is wrong, or the captioner is not there.
    """
    verdict = dict(passed_audit(privacy))
    refuse_unverified(bundle)
    source = read_source(bundle, hands, with_mano=recipe.layout.needs_mano(recipe.state))
    if source.recording_id != recording_id:
        raise ArtifactDamaged(
            f"the bundle belongs to recording {source.recording_id!r}, expected {recording_id!r}",
            remedy="materialise episode_bundle of this recording again",
        )
    quality = read_verdict(qc, source.message_number)
    said = plan_segments(
        source, quality.kept, bundle.video_path, recipe=recipe, task=task, given=tasks_beside
    )
    plan = plan_episodes(source, quality, recipe, said)
    video, sizes = _read_video(bundle.video_path, frames=len(source))
    table = [build_rows(source, span, recipe=recipe, fps=plan.fps) for span in plan.cuts.episodes]
    histograms = sum_histograms(blurred, source.message_number, plan.cuts.episodes)
    columns = fragment_columns(recipe)
    _write_rows(directory / ROWS, table, columns, progress)
    _write_statistics(directory / STATISTICS, table, histograms, columns, recipe)
    document = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "recording_id": recording_id,
        "recipe": recipe.to_mapping(),
        "rows_digest": recipe.rows_digest,
        "bundle_digest": bundle_digest,
        "first_stamp_ns": int(source.stamp_ns[0]),
        "frames": len(source),
        "fps": plan.fps,
        "left_out": None if plan.left_out is None else asdict(plan.left_out),
        "lost": dict(plan.cuts.lost),
        "hands_waived": plan.hands_waived,
        "hands_smoothed": int(source.hand_smoothed.sum()),
        "quality": {"verdict": quality.verdict, "score": quality.score},
        "timing": {"mode": recipe.timing, "median_dt_ns": _median_dt_ns(source.stamp_ns)},
        "task": said.task,
        "segments": said.to_json(),
        "video": {recipe.video_key: _video_facts(video)},
        "episodes": [
            _episode(source, span, plan.fps)
            | said.language(span)
            | _copied(recipe.video_key, span, video, sizes)
            for span in plan.cuts.episodes
        ],
        "privacy": verdict,
    }
    write_json(directory / DOCUMENT, document)
    return _outcome(plan, table, len(source), verdict, said.notes)


def refuse_unverified(bundle: EpisodeBundle) -> None:
    """Return if nobody doubts the pictures of a bundle.

    Raises:
        UnauditedArtifact: Its own record has no passed audit, or names pictures that nobody audited.
    """
    pictures = sorted(pictures_among(unverified(passed_audit(bundle.privacy, where="episode_bundle"))))
    if pictures:
        raise UnauditedArtifact(
            f"nobody audited {', '.join(pictures)} of the bundle",
            where="episode_bundle",
            remedy="make the bundle from a video whose audit passed",
        )


@dataclass(frozen=True)
class EpisodePlan:
    """What one recording contributes.

    Attributes:
        fps: Rate of the grid; 0 if there is none.
        cuts: The episodes.
        left_out: Why there are no episodes; None if there are some.
        hands_waived: Nothing met the required hands, and the recipe keeps such recordings with false masks.
    """

    fps: int
    cuts: Cuts
    left_out: LeftOut | None
    hands_waived: bool = False


def plan_episodes(
    source: EpisodeSource, quality: QualityVerdict, recipe: Recipe, said: SegmentPlan
) -> EpisodePlan:
    """Decide which frames become episodes."""
    fps = choose_fps(source.stamp_ns, asked=recipe.fps)
    refused = fps if isinstance(fps, LeftOut) else _refused(source, quality, recipe) or said.left_out
    if isinstance(fps, LeftOut) or refused is not None:
        return EpisodePlan(0, Cuts((), {"left_out": len(source)}), refused)
    _, valid = usable_hands(source, reference_frame=recipe.reference_frame)
    cut = partial(cut_episodes, source, quality.kept, hand_valid=valid, fps=fps, segments=said.cut_at)
    cuts = cut(recipe=recipe)
    if not cuts.episodes and "no_required_hand" in cuts.lost and recipe.hands_missing == "keep":
        uncut = cut(recipe=replace(recipe, require_hands="none"))
        if uncut.episodes:
            return EpisodePlan(fps, uncut, None, hands_waived=True)
    return EpisodePlan(fps, cuts, None if cuts.episodes else _nothing_left(cuts))


def _refused(source: EpisodeSource, quality: QualityVerdict, recipe: Recipe) -> LeftOut | None:
    if quality.verdict not in recipe.verdicts:
        accepted = ", ".join(recipe.verdicts)
        return LeftOut("verdict", f"the quality verdict is {quality.verdict}; the recipe takes {accepted}")
    if quality.score is not None and quality.score < recipe.min_score:
        return LeftOut(
            "score", f"the quality score is {quality.score:g}; the recipe takes {recipe.min_score:g} and up"
        )
    if recipe.reference_frame != "camera" and not source.has_pose.any():
        return LeftOut(
            "no_camera_pose",
            f"the recording has no camera pose, which reference_frame {recipe.reference_frame!r} needs; "
            "reference_frame 'camera' does without",
        )
    if recipe.layout.needs_mano(recipe.state) and source.mano is None:
        return LeftOut(
            "no_mano",
            "the hands come without MANO's numbers, which the layout needs; the backends wilor and hamer give them",
        )
    return None


def _nothing_left(cuts: Cuts) -> LeftOut:
    code, count = max(cuts.lost.items(), key=lambda item: (item[1], item[0]))
    parts = ", ".join(f"{frames} {reason}" for reason, frames in sorted(cuts.lost.items()))
    return LeftOut(
        code, f"no episode is left, mostly because {REASONS[code]} ({count} frames); frames lost: {parts}"
    )


def _read_video(path: Path, *, frames: int) -> tuple[VideoProbe, NDArray[np.int64]]:
    found = probe(path)
    with opened(path) as (container, stream):
        sizes = [packet.size for packet in container.demux(stream) if packet.size and packet.pts is not None]
    if found.frames != frames:
        raise ArtifactDamaged(
            f"the video holds {found.frames} frames, the table {frames}",
            where=path.name,
            remedy="materialise episode_bundle of this recording again",
        )
    return found, np.asarray(sizes, dtype=np.int64)


def _video_facts(found: VideoProbe) -> dict[str, Json]:
    return {
        "codec": found.codec,
        "width": found.width,
        "height": found.height,
        "pix_fmt": found.pix_fmt,
        "color_range": found.color_range,
        "color_matrix": found.color_matrix,
        "parameters": found.extradata_sha256,
        "is_depth_map": False,
        "encoder": None,
        "depth": None,
    }


def _median_dt_ns(stamps_ns: NDArray[np.int64]) -> int:
    return int(np.median(np.diff(stamps_ns))) if len(stamps_ns) > 1 else 0


def _copied(key: str, span: Span, found: VideoProbe, sizes: NDArray[np.int64]) -> dict[str, Json]:
    """Return the reference of an episode to the frames of the bundle's video."""
    size = int(sizes[span.start : span.stop].sum())
    reference: dict[str, Json] = {
        "from": FROM_BUNDLE,
        "file": BUNDLE_VIDEO,
        "frame_start": span.start,
        "frame_stop": span.stop,
        "bytes": size,
        "parameters": found.extradata_sha256,
    }
    return {"video_bytes": size, "videos": {key: reference}}


def _episode(source: EpisodeSource, span: Span, fps: int) -> dict[str, Json]:
    stamps = source.stamp_ns[span.start : span.stop]
    return {
        "length": len(span),
        "frame_start": span.start,
        "frame_stop": span.stop,
        "message_first": int(source.message_number[span.start]),
        "message_last": int(source.message_number[span.stop - 1]),
        "start_ns": int(stamps[0]),
        "end_ns": int(stamps[-1]),
        "before": span.before,
        "after": span.after,
        "drift_ns": int(grid_drift(stamps, fps=fps)[-1]) // fps,
    }


def _write_rows(
    path: Path, episodes: Sequence[Rows], columns: tuple[Column, ...], progress: Progress
) -> None:
    schema = schema_of(columns)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for done, rows in enumerate(episodes, start=1):
            # One row group per episode: packing reads exactly one.
            table = arrow_table(rows, columns)
            writer.write_table(table, row_group_size=table.num_rows)
            progress("lerobot episodes", done, len(episodes))


def arrow_table(rows: Mapping[str, NDArray[Any]], columns: Sequence[Column]) -> Any:
    """Return the named columns as an Arrow table without nulls."""
    arrays = [_arrow_array(rows[column.key], column) for column in columns]
    return pa.table(arrays, schema=schema_of(tuple(columns)))


def _arrow_array(values: NDArray[Any], column: Column) -> Any:
    flat = np.ascontiguousarray(values).reshape(-1)
    scalars = pa.array(flat, type=pa.from_numpy_dtype(np.dtype(column.dtype)))
    return scalars if column.names is None else pa.FixedSizeListArray.from_arrays(scalars, column.width)


def _write_statistics(
    path: Path,
    episodes: Sequence[Rows],
    histograms: NDArray[np.int64],
    columns: tuple[Column, ...],
    recipe: Recipe,
) -> None:
    records = []
    for rows, histogram in zip(episodes, histograms, strict=True):
        found = {
            column.key: column_statistics(rows[column.key], element_masks(column, rows)) for column in columns
        }
        found[recipe.video_key] = colour_statistics(histogram, frames=len(rows["timestamp"]))
        records.append(
            {**flat_statistics(found), histogram_column(recipe.video_key): histogram.reshape(-1).tolist()}
        )
    fields = [field for column in columns for field in statistics_fields(column.key, is_camera=False)]
    fields += [
        *statistics_fields(recipe.video_key, is_camera=True),
        pa.field(histogram_column(recipe.video_key), pa.list_(pa.int64(), COLOUR_COUNTS)),
    ]
    pq.write_table(pa.Table.from_pylist(records, schema=pa.schema(fields)), path, compression="zstd")


def histogram_column(key: str) -> str:
    """Return the column of `statistics.parquet` that counts the values of a camera's pixels, one record per episode."""
    return f"{HISTOGRAM}/{key}"


def flat_statistics(statistics: Mapping[str, Statistics]) -> dict[str, Any]:
    """Return statistics by feature as one flat record with the episode table's column names."""
    return {
        f"stats/{key}/{name}": value for key, found in statistics.items() for name, value in found.items()
    }


def statistics_fields(key: str, *, is_camera: bool) -> list[Any]:
    """Return the Arrow fields of one feature's statistics in the episode table."""
    numbers = pa.list_(pa.float64())
    kind = pa.list_(pa.list_(numbers)) if is_camera else numbers
    fields = [pa.field(f"stats/{key}/{name}", kind) for name in NAMES]
    return [*fields, pa.field(f"stats/{key}/count", pa.list_(pa.int64()))]


def _outcome(
    plan: EpisodePlan,
    table: Sequence[Rows],
    frames: int,
    privacy: Mapping[str, Json],
    notes: Sequence[Note],
) -> Outcome:
    rows = sum(len(episode["timestamp"]) for episode in table)
    with_action = sum(int(episode["valid.action"].any(axis=1).sum()) for episode in table)
    with_hand = sum(int((episode["valid.left"] | episode["valid.right"]).sum()) for episode in table)
    lost = [
        Note(code, f"frames lost: {REASONS[code]}", "rgb", count) for code, count in plan.cuts.lost.items()
    ]
    if plan.hands_waived:
        lost.append(
            Note(
                "hands_waived", "no episode has the required hands; all were kept, with false masks", "hands"
            )
        )
    skipped = (
        () if plan.left_out is None else (Skipped("episodes", plan.left_out.code, plan.left_out.detail),)
    )
    return Outcome(
        core=(DOCUMENT, ROWS, STATISTICS),
        saved=(DOCUMENT, ROWS, STATISTICS),
        skipped=skipped,
        warnings=(*lost, *notes),
        summary={
            "episodes": len(table),
            "rows": rows,
            "rows_with_a_measured_hand": with_hand,
            "rows_with_a_measured_action": with_action,
            "frames": frames,
            "frames_lost": dict(plan.cuts.lost),
            "fps": plan.fps,
            "hands_waived": plan.hands_waived,
            "left_out": None if plan.left_out is None else plan.left_out.code,
        },
        privacy=dict(privacy),
    )


@dataclass(frozen=True)
class FragmentReader:
    """A fragment on disk, checked for what packing needs.

    Attributes:
        fragment: Where it lies.
        document: Its `episodes.json`.
    """

    fragment: Fragment
    document: Mapping[str, Any]

    @classmethod
    def open(cls, fragment: Fragment, *, recipe: Recipe) -> FragmentReader:
        """Read a fragment's document and check it against its own tables and the recipe.

        Raises:
            ArtifactDamaged: A file is missing, unreadable, of another schema or recipe, or contradicts the others.
            UnauditedArtifact: It carries no passed audit.
        """
        try:
            document = json.loads((fragment.directory / DOCUMENT).read_text(encoding="utf-8"))
            passed_audit(document.get("privacy"), where=f"the contribution of {fragment.recording_id}")
            reader = cls(fragment, document)
            reader._check(recipe)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException) as error:
            # The text of a system error names the path, and this sentence ends up in datasets.
            text = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
            raise _damaged(fragment, f"it cannot be read: {text}") from error
        return reader

    @property
    def episodes(self) -> Sequence[Mapping[str, Any]]:
        """Its episodes, in order of time."""
        episodes: Sequence[Mapping[str, Any]] = self.document["episodes"]
        return episodes

    @property
    def fps(self) -> int:
        """Rate of its rows."""
        return int(self.document["fps"])

    def statistics(self) -> list[dict[str, Any]]:
        """Return one flat record of statistics per episode."""
        records: list[dict[str, Any]] = pq.read_table(self.fragment.directory / STATISTICS).to_pylist()
        return records

    def rows(self) -> Any:
        """Open the rows; row group i holds episode i."""
        return pq.ParquetFile(self.fragment.directory / ROWS)

    def row_table(self, position: int) -> Any:
        """Return the rows of one episode as an Arrow table with the columns of `fragment_columns`."""
        with self.rows() as file:
            return file.read_row_group(position)

    @property
    def video_keys(self) -> tuple[str, ...]:
        """Names of the features whose frames lie in video files."""
        return tuple(self.document["video"])

    def video_facts(self, video_key: str) -> Mapping[str, Any]:
        """Return what all frames of a feature share: codec, size, pixel format, colours, parameter sets, encoder."""
        facts: Mapping[str, Any] = self.document["video"][video_key]
        return facts

    def video_span(self, position: int, video_key: str) -> VideoSpan:
        """Return where the frames of an episode lie."""
        found = self.episodes[position]["videos"][video_key]
        is_own = found["from"] == FROM_FRAGMENT
        path = self.fragment.directory / found["file"] if is_own else self.fragment.bundle_video
        return VideoSpan(path, int(found["frame_start"]), int(found["frame_stop"]))

    def _check(self, recipe: Recipe) -> None:
        document, fragment = self.document, self.fragment
        if (document["schema"], document["schema_version"]) != (SCHEMA, SCHEMA_VERSION):
            raise _damaged(fragment, f"its schema is {document['schema']} {document['schema_version']}")
        if document["recording_id"] != fragment.recording_id:
            raise _damaged(fragment, f"it belongs to recording {document['recording_id']}")
        if document["rows_digest"] != recipe.rows_digest:
            raise _damaged(fragment, f"it was made with another version of recipe {recipe.name!r}")
        lengths = [int(episode["length"]) for episode in self.episodes]
        with self.rows() as file:
            groups = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
            is_same = file.schema_arrow.equals(schema_of(fragment_columns(recipe)))
        if not is_same:
            raise _damaged(fragment, "its columns are not those of the recipe")
        if groups != lengths or pq.read_metadata(fragment.directory / STATISTICS).num_rows != len(lengths):
            raise _damaged(fragment, f"its tables hold episodes of {groups} rows, its document of {lengths}")


def _damaged(fragment: Fragment, what: str) -> ArtifactDamaged:
    return ArtifactDamaged(
        what,
        where=f"the contribution of {fragment.recording_id}",
        remedy="materialise lerobot_episode of this recording again",
    )
