"""How datasets look on a terminal: what a verification found, and what a dataset is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from episode_assets.console import megabytes, printable, table

if TYPE_CHECKING:
    from episode_assets.lerobot.info import DatasetSummary
    from episode_assets.lerobot.verify import Verdict
    from episode_assets.pipeline.building import Built

_SHOWN = 50
_TASKS_SHOWN = 5


def under_split(split: str, text: str) -> str:
    """Return a text under the name of its split, where there is one."""
    return f"{split}:\n{text}\n" if split else text


def built_text(name: str, built: Built) -> str:
    """Return what building a dataset came to: its place and numbers, and what is not in it."""
    manifest = built.dataset.artifact.manifest
    numbers = ", ".join(f"{manifest.summary[key]} {key}" for key in ("episodes", "rows", "recordings"))
    word = "is up to date" if built.dataset.was_cached else "packed"
    lines = [f"{name}: {word}, {numbers}", f"  {built.dataset.artifact.uri()}"]
    lines += [f"  left out {item.name}: {item.code}" for item in manifest.skipped]
    lines += [f"  failed {recording}: {reason}" for recording, reason in built.failed.items()]
    return "\n".join(map(printable, lines))


def verdict_text(verdict: Verdict, *, show_all: bool) -> str:
    """Return problems and warnings, a line for each, and the verdict last."""
    lines = list(_some([str(problem) for problem in verdict.problems], show_all=show_all))
    lines += [
        f"warning: {line}" for line in _some([str(item) for item in verdict.warnings], show_all=show_all)
    ]
    counts = f"{len(verdict.problems)} problems, {len(verdict.warnings)} warnings"
    lines.append(f"passed, {len(verdict.warnings)} warnings" if verdict.passed else f"failed: {counts}")
    return "\n".join(printable(line) for line in lines)


def _some(lines: list[str], *, show_all: bool) -> Iterator[str]:
    yield from lines if show_all else lines[:_SHOWN]
    if len(lines) > _SHOWN and not show_all:
        yield f"and {len(lines) - _SHOWN} more (--all shows them)"


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as plain JSON."""
    return {
        "passed": verdict.passed,
        "problems": [_document(problem) for problem in verdict.problems],
        "warnings": [_document(problem) for problem in verdict.warnings],
    }


def _document(problem: Any) -> dict[str, Any]:
    return {
        "code": problem.code,
        "episode": problem.episode,
        "frame": problem.frame,
        "detail": problem.detail,
    }


def summary_text(summary: DatasetSummary) -> str:
    """Return a dataset at a glance: numbers, what policies are given, and what to know before training."""
    size = f"{summary.episodes} episodes, {summary.frames} rows at {summary.fps} Hz"
    length = f"{summary.seconds / 60:.1f} min, {megabytes(summary.size_bytes)}"
    lines = [
        f"{summary.version}, robot {summary.robot_type}, {size}, {length}",
        *([] if summary.recordings is None else [f"from {summary.recordings} recordings"]),
        f"tasks: {_tasks(summary.tasks)}",
        "",
        table(_input_rows(summary), ("every policy is given", "as", "size")),
        "",
        f"no policy sees: {', '.join(summary.not_seen) or 'nothing'}",
    ]
    for policy, warnings in summary.warnings.items():
        lines += ["", f"{policy}: {'nothing to note' if not warnings else ''}".rstrip()]
        lines += [f"  - {warning}" for warning in warnings]
    return "\n".join(printable(line) if "\n" not in line else line for line in lines)


def _tasks(tasks: tuple[str, ...]) -> str:
    more = len(tasks) - _TASKS_SHOWN
    return "; ".join(tasks[:_TASKS_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _input_rows(summary: DatasetSummary) -> Iterator[tuple[str, str, str]]:
    inputs = summary.inputs
    for key, (channels, height, width) in inputs.visual.items():
        kind = "VISUAL (depth)" if key in inputs.depth else "VISUAL"
        yield key, kind, f"{width} x {height} x {channels}"
    for kind, vectors in (("STATE", inputs.state), ("ACTION", inputs.action)):
        yield from ((key, kind, str(width)) for key, width in vectors.items())
