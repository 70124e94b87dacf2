"""One export with the Stera SDK 0.0.4, run with the interpreter of an environment that holds it.

Usage: python bundle_by_stera.py RECORDING DIRECTORY REPORT. No blur, no hands, no visualizer: `session.export` alone.
"""

from __future__ import annotations

import builtins
import io
import sys
from pathlib import Path
from typing import Any

from process_cost import Costs, peak_mb


class Counted(io.FileIO):
    """A file whose bytes are counted as they are read."""

    read_bytes = 0

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer."""
        count = super().readinto(buffer) or 0
        Counted.read_bytes += count
        return count

    def readall(self) -> bytes:
        """Read the rest."""
        data = super().readall()
        Counted.read_bytes += len(data)
        return data


def count_reads_of(path: Path) -> None:
    """From now on, count what is read of this file through `open`."""
    plain = builtins.open

    def opened(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        if mode == "rb" and Path(file) == path:
            return io.BufferedReader(Counted(file, "rb"))
        return plain(file, mode, *arguments, **named)

    builtins.open = opened


def main() -> None:
    recording, directory, report = map(Path, sys.argv[1:])
    costs = Costs()
    from stera.data import MCAPReader, export  # loading counts

    encoder_peaks = [0.0]
    close = export._RGBMP4Writer.close

    def closed(writer: Any) -> None:
        encoder_peaks.append(peak_mb(writer.proc.pid))
        close(writer)

    export._RGBMP4Writer.close = closed
    count_reads_of(recording)
    MCAPReader(recording).export(directory)
    costs.report(report, {"encoder_peak_mb": max(encoder_peaks), "read_bytes": Counted.read_bytes})


if __name__ == "__main__":
    main()
