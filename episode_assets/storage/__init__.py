"""Where artifacts live: the registry of recordings, fingerprints, manifests, one-step publication, and refusal.

`Store` is the door. Everything works the same on a local directory and on an object store. What an artifact's files
mean belongs to the rooms that write them.
"""

from __future__ import annotations

from episode_assets.storage.artifact import Artifact
from episode_assets.storage.beside import HANDS_SUFFIX, TASKS_SUFFIX, FileBeside
from episode_assets.storage.canonical import content_digest, fingerprint
from episode_assets.storage.draft import Draft
from episode_assets.storage.keys import ArtifactKey, is_safe_name
from episode_assets.storage.manifest import FileEntry, Manifest
from episode_assets.storage.privacy_gate import AUDITED_ASSETS
from episode_assets.storage.publication import Publication
from episode_assets.storage.quarantine import Quarantined
from episode_assets.storage.redactions import RedactionText, digest_of_redactions
from episode_assets.storage.registry import Naming, RecordingEntry, Registry
from episode_assets.storage.sources import Address
from episode_assets.storage.store import Store

__all__ = [
    "AUDITED_ASSETS",
    "HANDS_SUFFIX",
    "TASKS_SUFFIX",
    "Address",
    "Artifact",
    "ArtifactKey",
    "Draft",
    "FileBeside",
    "FileEntry",
    "Manifest",
    "Naming",
    "Publication",
    "Quarantined",
    "RecordingEntry",
    "RedactionText",
    "Registry",
    "Store",
    "content_digest",
    "digest_of_redactions",
    "fingerprint",
    "is_safe_name",
]
