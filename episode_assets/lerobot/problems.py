"""What can be wrong with a dataset: a record with a stable code, and the list of all codes.

A new kind of damage starts with a line in `CODES`; who finds it is a function in `checks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CODES: Mapping[str, str] = {
    "unreadable": "a table or a document is missing, cut, or not what its name says",
    "version": "codebase_version is none of v3.0, v2.1, v2.0",
    "fps": "the rate is no whole number above 0",
    "whole_number": "a count in info.json is no whole number",
    "info_key": "info.json lacks a key that readers of this version need",
    "total_episodes": "info.json counts other episodes than there are",
    "total_frames": "info.json counts other rows than the episodes have",
    "total_tasks": "info.json counts other tasks than the task table",
    "total_videos": "info.json counts other video files than episodes and cameras give",
    "total_chunks": "info.json counts other chunk folders than the episodes need",
    "splits": "the splits are not one range over all episodes",
    "chunks_size": "more than 1000 files per chunk: their names sort in another order",
    "path_pattern": "data_path or video_path is not the pattern of this version",
    "feature": "a column that every reader needs is not declared as it must be",
    "feature_key": "a feature has a name that readers take for something else",
    "feature_shape": "a feature is not one-dimensional, or its names do not fit its width",
    "columns": "a column is in only one of info.json and the table",
    "dtype": "a column has another type than info.json says",
    "list_size": "vectors are lists without a size, which readers convert on every load",
    "schema_differs": "files of one family have different columns",
    "task_note": "the task table does not name its text as index: readers show numbers for texts",
    "task_table": "task indices are not 0, 1, 2, or texts are empty or repeated",
    "task_unused": "no row has this task",
    "task_index": "a row names a task that is not in the table",
    "episode_tasks": "the tasks of an episode's rows are not those that the episode names",
    "episode_index": "episodes are not numbered 0, 1, 2",
    "dataset_index": "the row range of an episode does not continue the one before",
    "episode_place": "an episode's rows or record lie in another file than its record says",
    "partial": "episodes are described of which neither rows nor video are there",
    "data_missing": "the file with an episode's rows is not there",
    "row_count": "an episode has another number of rows than it says",
    "row_groups": "an episode is not one row group: loading a part reads everything",
    "row_episode": "a row carries the number of another episode",
    "frame_index": "frame_index is not 0, 1, 2 within the episode",
    "index": "index does not count the rows of the dataset",
    "timestamp": "single stamps are not frame_index / fps",
    "timestamp_start": "the stamps of an episode do not start at 0",
    "timestamp_clock": "the stamps are those of a clock and not of the grid",
    "episode_too_long": "old readers compare stamps as float32 and refuse what lies beyond 1024 s",
    "null": "a column holds nulls",
    "not_finite": "a number is NaN or infinite",
    "mask": "the mask named for a feature is not there, or is no bool",
    "language": "a language entry breaks the rules of its style",
    "statistics_missing": "statistics of a feature are not there",
    "statistics_quantile": "a quantile is not there, or quantiles are not in order",
    "statistics_shape": "a statistic has another shape than its feature",
    "statistics": "a statistic of the dataset differs from the rows",
    "episode_statistics": "a statistic of an episode differs from its rows",
    "counter_statistics": "statistics of index, frame_index or the like are left from before an edit",
    "image_statistics": "statistics of pictures are not shaped [C][1][1] within their range",
    "no_episode_statistics": "without statistics per episode, converting to v3.0 needs a pass over everything",
    "constant": "a measured column never changes: normalising divides by almost nothing",
    "camera_without_video": "a camera is declared, and no file of it is there",
    "video_missing": "the video of an episode is not there",
    "video_unreadable": "a video cannot be opened, is cut, or a picture of it cannot be decoded",
    "frame_count": "a video does not hold one frame per row",
    "video_start": "the first frame is not at time 0",
    "video_stamps": "frames are not at exactly i / fps",
    "video_rate": "the rate or duration that the file states is not that of its frames",
    "reordered_frames": "frames are stored in another order than they are shown (B-frames)",
    "sound": "a video holds sound",
    "key_frame": "an episode does not start on a key frame",
    "key_gap": "key frames are more than 2 s apart: random access is slow",
    "video_length": "several episodes in one file go beyond 1024 s, where readers miss frames",
    "video_offset": "from and to of an episode are not its frames in the file",
    "camera_info": "the description of a camera lacks what readers look for",
    "codec": "a video has another codec or pixel format than info.json says",
    "video_size": "a video has another size than info.json says",
    "video_fps": "the rate that info.json gives for a camera is not that of the dataset",
    "depth": "depth is not described in a way that readers can turn into distances",
    "image": "a picture is missing, cannot be read, or has another size than info.json says",
    "stray_file": "a file belongs to no episode",
    "left_over": "a file or folder was left behind by a writer that broke off",
    "modality": "modality.json names something that is not there",
    "modality_slice": "a slice in modality.json lies outside its column, or overlaps another one",
    "modality_statistics": "stats.json makes a GR00T reader recompute, or fail",
    "source_stamps": "the stamps or steps of the source do not increase with the rows",
    "provenance": "meta/episode_assets.json describes another dataset",
}
"""All codes, with what they mean."""

WARNINGS = frozenset(
    {
        "constant",
        "counter_statistics",
        "key_gap",
        "list_size",
        "no_episode_statistics",
        "row_groups",
        "task_unused",
    }
)
"""Codes of what readers survive: worth knowing, and no reason to refuse a dataset."""


@dataclass(frozen=True)
class Problem:
    """One thing that a reader of the dataset would stumble over.

    Attributes:
        code: A stable word for scripts, such as `frame_count`; one of `CODES`.
        detail: What was found and what was expected.
        episode: The episode, where it is one.
        frame: The row of the episode, where it is one.
    """

    code: str
    detail: str
    episode: int | None = None
    frame: int | None = None

    def __post_init__(self) -> None:
        assert self.code in CODES, self.code

    @property
    def is_warning(self) -> bool:
        """Whether readers survive it."""
        return self.code in WARNINGS

    def __str__(self) -> str:
        parts = [self.code]
        parts += [] if self.episode is None else [f"episode {self.episode}"]
        parts += [] if self.frame is None else [f"frame {self.frame}"]
        return f"{', '.join(parts)}: {self.detail}"
