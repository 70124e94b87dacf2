"""Puts a public copy on the Hugging Face Hub; the client is an optional package and imported only here."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from episode_assets.errors import ArtifactDamaged, BadConfig, ModelMissing, StorageTrouble
from episode_assets.lerobot.existing import open_dataset
from episode_assets.lerobot.verify import examine_dataset

_REPOSITORY = re.compile(r"^[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}$")
_KIND = "dataset"
# Readers take every table below these folders, so what a new version no longer has must go from the repository too.
_REPLACED = ("data/**", "videos/**", "meta/**")

_CLIENT_PACKAGES = {"huggingface_hub", "httpx", "requests"}
_NO_LOGIN = {"LocalTokenNotFoundError"}
_PASSING = {408, 429}
"""Answers that ask to come again later."""


class HubApi(Protocol):
    """The part of `huggingface_hub.HfApi` that is used here."""

    def create_repo(self, repo_id: str, *, repo_type: str, private: bool | None, exist_ok: bool) -> Any:
        """Make the repository unless it is there."""

    def upload_folder(
        self,
        *,
        repo_id: str,
        folder_path: str,
        repo_type: str,
        commit_message: str,
        delete_patterns: list[str],
    ) -> Any:
        """Put all files of a folder into the repository, in one commit."""

    def list_repo_refs(self, repo_id: str, *, repo_type: str) -> Any:
        """Return the tags of the repository, among others."""

    def delete_tag(self, repo_id: str, *, tag: str, repo_type: str) -> None:
        """Remove a tag."""

    def create_tag(self, repo_id: str, *, tag: str, repo_type: str) -> None:
        """Set a tag on the last commit."""


def push_dataset(
    root: Path, repo_id: str, *, private: bool = False, with_ids: bool = False, api: HubApi | None = None
) -> str:
    """Upload a dataset and tag it with its version, without which loading it by name fails.

    Args:
        root: A dataset root that `publish_copy` has written.
        repo_id: `owner/name`.
        private: Make a new repository private; an existing one stays as it is.
        with_ids: Also upload a dataset that leads back to its recordings.
        api: The client; `huggingface_hub.HfApi()` with the user's own login if None.

    Returns:
        Address of the dataset.

    Raises:
        BadConfig: The name is none, or the dataset is no public copy.
        ArtifactDamaged: The dataset does not pass verification.
        ModelMissing: The optional package `huggingface_hub` is not there.
        StorageTrouble: The Hub did not take it.
    """
    if not _REPOSITORY.match(repo_id):
        raise BadConfig(f"{repo_id!r} is no name of a repository", remedy="use owner/name")
    dataset = open_dataset(root)
    if not with_ids and not dataset.provenance.get("public"):
        raise BadConfig(
            "this is no public copy", where=str(root), remedy="make one with `dataset export --public`"
        )
    problems = examine_dataset(root).problems
    if problems:
        raise ArtifactDamaged(f"{len(problems)} problems, the first: {problems[0]}", where=str(root))
    hub = api or _client()
    try:
        _upload(hub, root, repo_id, tag=dataset.version, private=private)
    except Exception as error:
        raise _translated(error, repo_id) from error
    return f"https://huggingface.co/datasets/{repo_id}"


def _upload(hub: HubApi, root: Path, repo_id: str, *, tag: str, private: bool) -> None:
    hub.create_repo(repo_id, repo_type=_KIND, private=private, exist_ok=True)
    hub.upload_folder(
        repo_id=repo_id,
        folder_path=str(root),
        repo_type=_KIND,
        commit_message=f"Upload dataset ({tag})",
        delete_patterns=list(_REPLACED),
    )
    tags = hub.list_repo_refs(repo_id, repo_type=_KIND).tags
    if any(found.name == tag for found in tags):
        hub.delete_tag(repo_id, tag=tag, repo_type=_KIND)  # it names the version before this one
    hub.create_tag(repo_id, tag=tag, repo_type=_KIND)


def _translated(error: Exception, repo_id: str) -> Exception:
    """Return what the client's error means here; one that is not of the client is handed on as it is.

    The client's own errors descend from those of the HTTP package that it happens to use.
    """
    status = getattr(getattr(error, "response", None), "status_code", None)
    is_refused = isinstance(error, ValueError) or type(error).__name__ in _NO_LOGIN
    if is_refused or (status in range(400, 500) and status not in _PASSING):
        remedy = "log in with `hf auth login`, and check the name and your rights to it"
        return BadConfig(f"the Hub refused the dataset: {error}", where=repo_id, remedy=remedy)
    packages = {kind.__module__.split(".")[0] for kind in type(error).__mro__}
    if isinstance(error, OSError) or packages & _CLIENT_PACKAGES:
        return StorageTrouble(f"the Hub did not take the dataset: {error}", where=repo_id)
    return error


def _client() -> HubApi:
    try:
        package = import_module("huggingface_hub")
    except ImportError as error:
        raise ModelMissing(
            "uploading needs the package huggingface_hub", remedy="pip install 'episode-assets[hub]'"
        ) from error
    client: HubApi = package.HfApi()
    return client
