"""One recording through the parts of the graph that make an episode, in one process, as `bundle.py` runs it.

Usage: python bundle_by_us.py RECORDING DIRECTORY REPORT PRESET GROUP_LENGTH WORKERS PART [PART …], parts being scan,
blur, bundle and quality, in this order; those before them must lie in DIRECTORY. Faces are sought by a stand-in that
finds none; everything else is what the graph does, its audit of the encoded video included. CPU seconds are told by
stage.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from process_cost import Costs
from stage_clock import clocks
from stage_pieces import blur_pieces

if TYPE_CHECKING:
    from episode_assets.anonymization import FaceBlurConfig
    from episode_assets.recording import RecordingView

RECORDING_ID = "measured-00000000"


class Reads:
    """Counts what is read of the recording, whoever opens it."""

    def __init__(self, source: Any) -> None:
        self.by_stage: dict[str, int] = {}
        self.stage = ""
        count = source._count

        def counted(opened: Any, size: int) -> None:
            self.by_stage[self.stage] = self.by_stage.get(self.stage, 0) + size
            count(opened, size)

        source._count = counted


class Parts:
    """The parts, each a method of its name; what one leaves for the next lies in the directory."""

    def __init__(self, recording: Path, directory: Path, blur: FaceBlurConfig, workers: int) -> None:
        self._recording, self._directory, self._blur = str(recording), directory, blur
        self._workers = workers

    def _view(self) -> RecordingView:
        from episode_assets.recording import RecordingView

        return RecordingView.open(self._directory / "raw", self._recording)

    def _made(self, name: str) -> Path:
        path = self._directory / name
        path.mkdir(parents=True)
        return path

    def scan(self) -> None:
        """Read everything once."""
        from episode_assets.recording import scan_recording

        scan_recording(self._recording, self._made("raw"), recording_id=RECORDING_ID)

    def blur(self) -> None:
        """Encode the pictures and audit the result."""
        from episode_assets.anonymization import blur_recording

        outcome = blur_recording(
            self._view(), self._made("blurred"), config=self._blur, workers=self._workers
        )
        (self._directory / "privacy.json").write_text(json.dumps(outcome.privacy), encoding="utf-8")

    def bundle(self) -> None:
        """Put the episode together, without the file for a viewer."""
        from episode_assets.bundle import BundleConfig, write_bundle

        write_bundle(
            self._view(),
            self._directory / "blurred",
            None,
            self._made("bundle"),
            config=BundleConfig(visualization=False),
            privacy=self._privacy(),
        )

    def quality(self) -> None:
        """Judge the episode."""
        from episode_assets.bundle import EpisodeBundle
        from episode_assets.qc import check_quality

        with EpisodeBundle.open(self._directory / "bundle") as bundle:
            check_quality(
                bundle,
                self._directory / "blurred",
                None,
                self._view(),
                self._made("quality"),
                privacy=self._privacy(),
            )

    def _privacy(self) -> dict[str, Any]:
        verdict: dict[str, Any] = json.loads((self._directory / "privacy.json").read_text(encoding="utf-8"))
        return verdict


def main() -> None:
    recording, directory, report = map(Path, sys.argv[1:4])
    costs = Costs()
    from episode_assets.anonymization import FaceBlurConfig
    from episode_assets.recording.containers.source import Source

    stand_in = "no_faces:make"
    blur = FaceBlurConfig(detector=stand_in, audit_detector=stand_in, preset=sys.argv[4], g=int(sys.argv[5]))
    parts, reads = Parts(recording, directory, blur, int(sys.argv[6])), Reads(Source)
    with clocks(blur_pieces()) as clock:
        for part in sys.argv[7:]:
            reads.stage = part
            with clock.stage(part):
                getattr(parts, part)()
    told = {"stages_s": clock.seconds, "reads": reads.by_stage, "read_bytes": sum(reads.by_stage.values())}
    costs.report(report, told)


if __name__ == "__main__":
    main()
