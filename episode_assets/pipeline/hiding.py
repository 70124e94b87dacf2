"""Whether what is published of a recording hides what must be hidden by now."""

from __future__ import annotations

from episode_assets.errors import ArtifactMissing
from episode_assets.pipeline.step import REDACTIONS
from episode_assets.storage import ArtifactKey, Store, digest_of_redactions


def hides_what_it_should(store: Store, key: ArtifactKey) -> bool:
    """Return whether an artifact comes from a video that was made with the redactions that count now.

    Raises:
        BadConfig: The redactions cannot be told.
        StorageTrouble: A place does not answer.
    """
    try:
        entry = store.recordings.get(key.recording_id or "")
    except ArtifactMissing:
        return True
    wanted = digest_of_redactions(store.recordings.redactions(entry))
    video = ArtifactKey("blurred_rgb", entry.recording_id)
    made = store.current(video)
    if made is None or made.config.get(REDACTIONS) != wanted:
        return made is None and wanted is None
    if wanted is None:
        return True
    # The same rows may have been made twice: the record of the last time says from what.
    current = store.current(key)
    return current is not None and current.inputs.get(video.asset) == store.latest(video).content_digest
