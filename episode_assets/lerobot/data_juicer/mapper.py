"""The operator that turns samples of Data-Juicer into contributions to a LeRobot dataset, and the step that packs them.

Names, defaults, inputs and result are those of their `ExportToLeRobotMapper`; what it does wrong is done right. What a
sample says is read in `takes`, its pictures in `pictures`, the dataset is written by `packing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.errors import BadConfig
from episode_assets.lerobot.data_juicer.packing import pack_contributions
from episode_assets.lerobot.data_juicer.pictures import (
    EncodedTakes,
    ImagePictures,
    PictureSource,
    encode_takes,
    opened_video,
)
from episode_assets.lerobot.data_juicer.staging import (
    ROWS,
    STAGING,
    VIDEO,
    drafted,
    name_of,
    write_contribution,
)
from episode_assets.lerobot.data_juicer.takes import (
    META,
    NoEpisode,
    Take,
    require,
    take_of_video,
    takes_of_segments,
)
from episode_assets.outcome import Json

DEFAULT_CHUNKS_SIZE = 1000
EXPORTED = "lerobot_export"
LEFT_OUT = "lerobot_left_out"
"""Fields of a sample's meta: episodes that it gave, and parts of it that gave none with their reason."""


class ExportToLeRobotMapper:
    """Exports hands and pictures of samples as LeRobot v2.0, in the layout of LIBERO.

    Each sample is independent of all others, so any number of processes may work on one output directory. When all
    are done, `finalize_dataset` packs what they contributed.

    Args:
        output_dir: Directory of the dataset.
        hand_action_field: Field of a sample's meta with one entry of hands per video.
        fps: Rows and pictures per second.
        robot_type: Embodiment, for info.json.
        chunks_size: Episodes per chunk folder, 1 to 1000.
        segment_field: Field of a sample's meta with segments, each of which becomes an episode; None exports videos.
        frame_field: Field of a sample, or of its meta, with paths of its pictures, for segments.
        text_key: Field of a sample with its text.
        video_key: Field of a sample with its videos: paths, or bytes.
        face_blur: How pictures are searched, blurred and audited that this package has not blurred itself.

    Raises:
        BadConfig: A value is out of range.
    """

    def __init__(
        self,
        output_dir: str = "./lerobot_output",
        hand_action_field: str = "hand_action_tags",
        fps: int = 10,
        robot_type: str = "egodex_hand",
        chunks_size: int = DEFAULT_CHUNKS_SIZE,
        segment_field: str | None = None,
        frame_field: str = "video_frames",
        *,
        text_key: str = "text",
        video_key: str = "videos",
        face_blur: FaceBlurConfig | None = None,
    ) -> None:
        _check(fps, chunks_size)
        self.output_dir = output_dir
        self.hand_action_field = hand_action_field
        self.fps = fps
        self.robot_type = robot_type
        self.chunks_size = chunks_size
        self.segment_field = segment_field
        self.frame_field = frame_field
        self.text_key = text_key
        self.video_key = video_key
        self.face_blur = face_blur or FaceBlurConfig()

    def process_single(self, sample: dict[str, Any], rank: int | None = None) -> dict[str, Any]:
        """Stage what a sample contributes, and say in its meta which episodes those are.

        Args:
            sample: A sample; its meta gets `lerobot_export` (uuid, parquet_path, video_path, num_frames, for segments
                also segment_id and hand_type) and `lerobot_left_out` (code, detail, for segments also segment_id).
            rank: Ignored; in their signature for a device.

        Raises:
            ModelMissing: Pictures have to be searched, and a weight file or package is not there.
        """
        del rank
        if META not in sample:
            return sample
        meta = sample[META]
        exported: list[dict[str, Json]] = []
        left_out: list[dict[str, Json]] = []
        if self.segment_field:
            self._export_segments(sample, meta, exported, left_out)
        else:
            self._export_videos(sample, meta, exported, left_out)
        meta[EXPORTED], meta[LEFT_OUT] = exported, left_out
        return sample

    @staticmethod
    def finalize_dataset(
        output_dir: str,
        fps: int = 10,
        robot_type: str = "egodex_hand",
        chunks_size: int = DEFAULT_CHUNKS_SIZE,
    ) -> None:
        """Pack everything that was contributed into a new version of the dataset, and make it the current one.

        Run again, it gives the same bytes; readers of the version before are not disturbed. The order of episodes is
        that of the version before, with new ones behind.

        Raises:
            NothingToExport: There is no episode.
            ArtifactDamaged: A contribution was changed after it was written.
            BadConfig: A value is out of range, or contributions have another rate.
        """
        _check(fps, chunks_size)
        pack_contributions(Path(output_dir), fps=fps, robot_type=robot_type, chunks_size=chunks_size)

    def _export_videos(
        self,
        sample: Mapping[str, Any],
        meta: Mapping[str, Any],
        exported: list[dict[str, Json]],
        left_out: list[dict[str, Json]],
    ) -> None:
        videos = sample.get(self.video_key) or []
        for number, found in enumerate(meta.get(self.hand_action_field) or []):
            try:
                take = take_of_video(found or {}, text=str(sample.get(self.text_key) or ""))
                detail = f"hands of video {number} were given, and {len(videos)} videos"
                require(number < len(videos), "no_video", detail)
                with opened_video(videos[number]) as source:
                    exported += self._stage(source, [take], str(number))
            except NoEpisode as reason:
                left_out.append(reason.to_json())

    def _export_segments(
        self,
        sample: Mapping[str, Any],
        meta: Mapping[str, Any],
        exported: list[dict[str, Json]],
        left_out: list[dict[str, Json]],
    ) -> None:
        segments = meta.get(str(self.segment_field)) or []
        source = ImagePictures(self._picture_paths(sample, meta))
        takes: list[Take] = []
        for found in takes_of_segments(segments, frames=source.count):
            if isinstance(found, NoEpisode):
                left_out.append(found.to_json())
            elif int(found.frames[-1]) >= source.count:
                last = int(found.frames[-1])
                reason = NoEpisode(
                    "no_video" if not source.count else "frames_outside",
                    f"picture {last} is asked for, there are {source.count}",
                    found.segment_id,
                )
                left_out.append(reason.to_json())
            else:
                takes.append(found)
        if not takes:
            return
        try:
            exported += self._stage(source, takes, "segments")
        except NoEpisode as reason:
            left_out += [NoEpisode(reason.code, reason.detail, one.segment_id).to_json() for one in takes]

    def _picture_paths(self, sample: Mapping[str, Any], meta: Mapping[str, Any]) -> tuple[str, ...]:
        found = sample.get(self.frame_field) or meta.get(self.frame_field) or []
        # Clips that were put together again come as one list inside another.
        if found and isinstance(found[0], Sequence) and not isinstance(found[0], str):
            found = found[0]
        return tuple(str(path) for path in found)

    def _stage(self, source: PictureSource, takes: Sequence[Take], part: str) -> list[dict[str, Json]]:
        output = Path(self.output_dir)
        name = name_of(source.digest, part)
        with drafted(output, name) as draft:
            encoded = self._encode(source, takes, draft)
            write_contribution(
                draft,
                takes,
                first=encoded.first,
                counts=encoded.counts,
                privacy=encoded.privacy,
                fps=self.fps,
            )
        directory = output / STAGING / name
        return [self._entry(directory, take, place) for place, take in enumerate(takes)]

    def _encode(self, source: PictureSource, takes: Sequence[Take], draft: Path) -> EncodedTakes:
        scratch = draft / "groups"
        scratch.mkdir(mode=0o700)
        encoded = encode_takes(
            source,
            [take.frames for take in takes],
            draft / VIDEO,
            scratch,
            fps=self.fps,
            config=self.face_blur,
        )
        for path in scratch.iterdir():
            path.unlink()
        scratch.rmdir()
        return encoded

    def _entry(self, directory: Path, take: Take, place: int) -> dict[str, Json]:
        entry: dict[str, Json] = {
            "uuid": f"{directory.name}-{place:04d}",
            "parquet_path": str(directory / ROWS),
            "video_path": str(directory / VIDEO),
            "num_frames": len(take),
        }
        if self.segment_field:
            entry |= {"segment_id": take.segment_id, "hand_type": take.side}
        return entry


def _check(fps: object, chunks_size: object) -> None:
    for name, value in (("fps", fps), ("chunks_size", chunks_size)):
        is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not is_whole or not 1 <= int(value) <= 1000:  # type: ignore[call-overload]  # whole, as was asked
            raise BadConfig(
                f"{name} is {value!r}", where=name, remedy="allowed: whole numbers from 1 to 1000"
            )
