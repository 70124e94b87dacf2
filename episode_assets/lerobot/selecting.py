"""Decides by a recipe's selection whether a recording, and which of its episodes, may enter a dataset."""

from __future__ import annotations

from fnmatch import fnmatchcase

from episode_assets.lerobot.labels import Labels
from episode_assets.lerobot.recipe_selection import Selection


def takes_task(selection: Selection, task: str) -> bool:
    """Return whether episodes with a task text may enter."""
    return not selection.tasks or any(fnmatchcase(task, pattern) for pattern in selection.tasks)


def refused(selection: Selection, recording_id: str, labels: Labels) -> tuple[str, str] | None:
    """Return why a recording may not enter, as a stable word and a sentence, or None where it may."""
    reasons = (
        ("recording_id", _by_name(selection, recording_id)),
        ("tags", _by_tags(selection, labels)),
        ("consent", _by_word("consent", labels.consent, selection.consent)),
        ("licence", _by_word("licence", labels.licence, selection.licences)),
    )
    return next(((code, reason) for code, reason in reasons if reason is not None), None)


def _by_name(selection: Selection, recording_id: str) -> str | None:
    if selection.recording_ids and recording_id not in selection.recording_ids:
        return "the recipe names the recordings that may enter, and not this one"
    if recording_id in selection.without_recording_ids:
        return "the recipe says that this recording must not enter"
    return None


def _by_tags(selection: Selection, labels: Labels) -> str | None:
    missing = [tag for tag in selection.tags if tag not in labels.tags]
    unwanted = [tag for tag in selection.without_tags if tag in labels.tags]
    if missing:
        return f"it lacks the tags {', '.join(missing)}"
    return f"it has the tags {', '.join(unwanted)}" if unwanted else None


def _by_word(what: str, said: str | None, accepted: tuple[str, ...]) -> str | None:
    if not accepted or said in accepted:
        return None
    found = f"says nothing of {what}" if said is None else f"has {what} {said!r}"
    return f"it {found}; the recipe takes {', '.join(accepted)}"
