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
    from episode_assets.anonymization.auditing import VideoAudit
    from episode_assets.pipeline.face_review import FaceReview
    from episode_assets.pipeline.redacting import ListedArea
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


def redaction_table(listed: Iterable[ListedArea]) -> str:
    """Return the entries of a recording's documents of redactions, one a line."""
    rows = []
    for item in listed:
        area, span = item.area, item.area.span
        corners = " ".join(f"{x:g},{y:g}" for x, y in area.corners)
        when = "whole recording" if span is None else f"{span.unit} {span.first}:{span.last}"
        unit = " (relative)" if area.is_relative else ""
        rows.append((str(item.number), area.reason, f"{area.shape} {corners}{unit}", when, item.where))
    return table(rows, ("", "reason", "where", "when", "document")) if rows else "no redactions"


def describe_audit(audit: VideoAudit) -> str:
    """Return what was found in a video, a line for each, and a verdict."""
    if not audit.knows_faces:
        return "the face of the known-answer test was not found: nothing was searched"
    rows = [
        (
            str(find.frame),
            ",".join(f"{value:.0f}" for value in find.box),
            f"{find.score:.2f}",
            "strong" if find.is_strong else "weak",
        )
        for find in audit.finds
    ]
    lines = [table(rows, ("frame", "box", "score", ""))] if rows else []
    strong = sum(find.is_strong for find in audit.finds)
    smallest = max(search.smallest_face_px for search in audit.searches if search.role == "audit")
    lines.append(
        f"{audit.frames} frames searched for faces from {smallest:.0f} px on: {strong} strong and "
        f"{len(rows) - strong} weak finds"
    )
    return "\n".join(lines)


def describe_faces(review: FaceReview) -> str:
    """Return the tracks of a recording, a line for each, and what its audit left open."""
    rows = [
        (
            str(track.track),
            f"{track.first_frame}-{track.last_frame}",
            str(track.frames),
            f"{track.longest_px:.0f} px",
            "-" if track.highest_score is None else f"{track.lowest_score:.2f}-{track.highest_score:.2f}",
            ", ".join(f"{kind} {count}" for kind, count in track.kinds.items()),
            " ".join((", ".join(track.backends), *(f"({label})" for label in track.labels))),
        )
        for track in review.tracks
    ]
    header = ("track", "frames", "hidden in", "longest side", "scores", "boxes", "found by")
    lines = [table(rows, header) if rows else "nothing is hidden", review.place]
    for find in review.finds:
        box = ",".join(f"{value:g}" for value in find["box"])
        place = f"frame {find['frame_index']} (message {find['message_number']}), box {box}"
        lines.append(f"the audit found and {find['state']}: {place}, score {find['score']:g}")
    lines += [f"with the finds filled: {picture}" for picture in review.pictures]
    if review.refusal:
        lines.append(f"not published: {review.refusal}")
    if review.video:
        lines.append(f"digest of the refused video, for exceptions: {review.video}")
    if review.sheet is not None:
        lines.append(f"sheet of {review.sheet[1]} of {len(review.tracks)} tracks: {review.sheet[0]}")
    return "\n".join(lines)
