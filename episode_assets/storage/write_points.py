"""Named places in the store's writing code where a process may die without a reader noticing.

A proof sets an observer that kills its own process at one of them. A new step of publishing gets a name here and a
call of `reached` behind the step. Nothing else may depend on the observer.
"""

from __future__ import annotations

from collections.abc import Callable

NAMES: tuple[str, ...] = (
    "draft.opened",
    "draft.file_taken_over",
    "pack.file_written",
    "pack.documents_written",
    "publish.checked",
    "publish.object_written",
    "publish.files_written",
    "publish.manifest_written",
    "publish.version_visible",
    "publish.fingerprint_written",
    "publish.latest_written",
    "publish.link_written",
    "publish.finished",
    "replace.temporary_written",
    "quarantine.pixels_removed",
    "quarantine.verdict_written",
    "quarantine.evidence_visible",
    "registry.entry_written",
)
"""All write points. `publish.object_written` is on object stores only (after every object), and
`replace.temporary_written` and `publish.link_written` on local directories only. `pack.*` lie in the packing of
datasets: after every video or table, and before the file that makes a dataset complete. `draft.file_taken_over` comes
after every file that a new version shares with an older one."""

Observer = Callable[[str], None]

_observer: Observer | None = None


def observe(observer: Observer | None) -> Observer | None:
    """Install an observer for this process, or none; return the one before it."""
    global _observer  # one observer per process, for proofs only
    before, _observer = _observer, observer
    return before


def reached(name: str) -> None:
    """Tell the observer that the step `name` has just been done."""
    assert name in NAMES, name
    if _observer is not None:
        _observer(name)
