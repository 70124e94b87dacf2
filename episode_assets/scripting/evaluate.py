"""The quality report of a session: the same judgement that every recording of an archive gets."""

from __future__ import annotations

import json
import logging
import shutil
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from episode_assets.bundle import EpisodeBundle
from episode_assets.errors import BadConfig
from episode_assets.qc import QualityConfig, check_quality
from episode_assets.scripting.aside import file_place, put_in_place
from episode_assets.scripting.logs import bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from episode_assets.scripting.reader import MCAPReader
    from episode_assets.scripting.upper_body import SkeletonFrame

logger = logging.getLogger(__name__)

EvaluateConfig = QualityConfig
"""Thresholds and weights. The first part has the names and defaults that scripts know, the rest is ours."""

_DEFAULT = QualityConfig()
_JSON, _REPORT = "qc.json", "report.html"


class Evaluate:
    """Judges a session by what would be exported; nothing of it needs to be exported before.

    Args:
        session: The session.
        skeleton: Bodies of frames, in order; the report has no figures of them, so they are only counted.
        config: Thresholds and weights.
    """

    def __init__(
        self,
        session: MCAPReader,
        skeleton: Sequence[SkeletonFrame | None] | None = None,
        config: QualityConfig | None = None,
    ) -> None:
        if config is not None and not isinstance(config, QualityConfig):
            raise BadConfig(f"config must be an EvaluateConfig, got {type(config).__name__}")
        self._session = session
        self._bodies = None if skeleton is None else sum(one is not None for one in skeleton)
        self._config = _DEFAULT if config is None else config
        self._directory: Path | None = None

    def compute(self) -> dict[str, Any]:
        """Return the content of `qc.json`; computed once, and finishes the video of the session.

        Raises:
            AuditFailed: Faces are left in the pictures.
            ModelMissing: A weight file or package is not there.
        """
        metrics: dict[str, Any] = json.loads((self._made() / _JSON).read_text(encoding="utf-8"))
        return metrics if self._bodies is None else {**metrics, "skeleton_frames": self._bodies}

    def export(self, path: str | Path) -> str:
        """Write the report, one HTML file, and its numbers beside it; returns the path of the report.

        The numbers of `run_01.html` lie in `run_01.qc.json`, so that reports of several sessions share a directory.

        Raises:
            BadConfig: A directory is where the report is to be written.
            AuditFailed: Faces are left in the pictures.
        """
        target = file_place(path)
        made = self._made()
        for source, place in ((_REPORT, target), (_JSON, target.with_name(f"{target.stem}.{_JSON}"))):
            with put_in_place(place) as aside:
                shutil.copyfile(made / source, aside)
        logger.info("Evaluation report saved to %s", target)
        return str(target)

    def show(self) -> str:
        """Open the report in the browser and return its path; it goes when the session goes."""
        path = self._made() / _REPORT
        webbrowser.open(path.resolve().as_uri())
        return str(path)

    def _made(self) -> Path:
        if self._directory is None:
            logger.info("Computing evaluation metrics")
            self._directory = self._judged()
        return self._directory

    def _judged(self) -> Path:
        session = self._session
        blurred, privacy = session.workshop.blurred(session.dropped)
        directory = session.workshop.new_directory("quality")
        with EpisodeBundle.open(session.episode()) as bundle, bar() as progress:
            check_quality(
                bundle,
                blurred,
                session.hand_directory(),
                session.view,
                directory,
                config=self._config,
                privacy=privacy,
                progress=progress,
            )
        return directory
