"""How the command line looks: progress bars, tables, and one line per failure.

Words and columns only; what is run and what it returns belongs to the commands. A recorder's text is shown with its
control characters escaped, because a file must not be able to drive the terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NoReturn, TextIO

from tqdm import tqdm

if TYPE_CHECKING:
    from episode_assets.recording.repair import RepairReport


class Bars:
    """Progress bars on the error stream, one per stage; plain lines where that is no terminal."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._bar: tqdm[NoReturn] | None = None
        self._stage = ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` units of `stage` are finished."""
        if not self._is_terminal:
            if done >= total and self._stage != stage:
                self._stage = stage
                self._stream.write(f"  {stage}: {total}\n")
            return
        bar = self._bar
        if bar is None or self._stage != stage:
            self.close()
            self._stage = stage
            bar = self._bar = tqdm(total=total, desc=f"  {stage}", unit="", leave=False, file=self._stream)
        bar.total = total
        bar.update(done - bar.n)
        if done >= total:
            self.close()

    def close(self) -> None:
        """End the bar that is showing."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def table(rows: Iterable[Sequence[str]], header: Sequence[str]) -> str:
    """Return rows as aligned columns under a header."""
    lines = [list(header), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def megabytes(count: int) -> str:
    """Return a byte count as megabytes with one decimal."""
    return f"{count / 1e6:.1f} MB"


def describe_repair(report: RepairReport) -> str:
    """Return what a repair kept and lost, a line for each stretch that could not be read."""
    written = f"{printable(str(report.out))}: {megabytes(report.size_bytes)}, {report.messages} messages"
    lines = [f"{written} in {report.channels} channels, {report.attachments} attachments"]
    if report.salvaged_messages:
        lines.append(f"{report.salvaged_messages} of the messages were saved from cut or broken chunks")
    for part in report.parts:
        if len(report.parts) > 1:
            lines.append(f"{printable(part.uri)}: {part.messages} messages")
        lines += [f"lost {printable(damage.in_words())}" for damage in part.damage]
        if part.damage_total > len(part.damage):
            lines.append(f"and {part.damage_total - len(part.damage)} more damaged stretches")
        if part.attachments_left_out:
            lines.append(f"lost {part.attachments_left_out} attachments that are damaged or too large")
    return "\n".join(lines)


def printable(text: str) -> str:
    """Return text with everything that is no printable character escaped."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
