"""Which files make up one recording: a file is one part, a ROS 2 bag directory is several, in order.

A directory says so itself in `metadata.yaml`; without it, files that differ in a running number only are the parts.
Reading them belongs to `opening`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from episode_assets.errors import BadRecording, StorageTrouble, is_storage_trouble
from episode_assets.recording.containers.source import Source, local_path

BAG_METADATA = "metadata.yaml"
"""Where a ROS 2 bag keeps the list of its parts, and the encoding of its messages."""

_LARGEST_METADATA_BYTES = 16 << 20
_PART = re.compile(r"(?P<stem>.*?)_?(?P<number>\d+)(?P<suffix>\.(?:mcap|db3)(?:\.(?:zstd|zst|gz|lz4|bz2))?)")
_RECORDING = re.compile(r".*\.(?:mcap|db3|bag)(?:\.(?:zstd|zst|gz|lz4|bz2))?")
_SHOWN = 5


def parts_of(uri: str) -> tuple[str, ...]:
    """Return the files that make up a recording, in the order of recording; a file is its own only part.

    Args:
        uri: Path or fsspec address of a recording or of a ROS 2 bag directory.

    Raises:
        BadRecording: The directory holds no recording, a part is missing, or its files do not belong together.
        StorageTrouble: The place did not answer.
    """
    place = str(local_path(uri) or uri)
    names = _names_in(place)
    if names is None:
        return (uri,)
    chosen = _listed_parts(place, names) if BAG_METADATA in names else _numbered_parts(place, names)
    return tuple(_join(place, name) for name in chosen)


def only_part(uri: str) -> str:
    """Return the one file of a recording.

    Raises:
        BadRecording: It is a local directory of several parts, or one without a recording.
    """
    place = local_path(uri)
    if place is None or not place.is_dir():
        return uri
    parts = parts_of(uri)
    if len(parts) > 1:
        raise BadRecording(
            f"a bag of {len(parts)} files: {_some([PurePosixPath(part).name for part in parts])}",
            where=uri,
            remedy="join them: episode-assets repair DIR OUT.mcap, or give one of the files",
        )
    return parts[0]


def bag_metadata(place: str) -> dict[str, Any]:
    """Return the description of the bag in a directory, from its `metadata.yaml`.

    Raises:
        BadRecording: The file is missing or is no description of a bag.
    """
    import yaml

    where = _join(place, BAG_METADATA)
    with Source(where) as source:
        text = source.read_at(0, _LARGEST_METADATA_BYTES)
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise BadRecording(f"the description of the bag is unreadable: {error}", where=where) from error
    found = found.get("rosbag2_bagfile_information") if isinstance(found, dict) else None
    if not isinstance(found, dict):
        raise BadRecording("no description of a ROS 2 bag", where=where, remedy="give the recording itself")
    return found


def _names_in(place: str) -> list[str] | None:
    """Return the names in a directory, or None where the address is no directory."""
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(place)
        if not filesystem.isdir(path):
            return None
        return sorted(PurePosixPath(found).name for found in filesystem.ls(path, detail=False))
    except (ValueError, ImportError) as error:
        raise BadRecording(f"the address cannot be opened: {error}", where=place) from error
    except Exception as error:
        if is_storage_trouble(error):
            raise StorageTrouble(f"listing failed: {error}", where=place) from error
        raise


def _join(place: str, name: str) -> str:
    return f"{place.rstrip('/')}/{name}"


def _listed_parts(place: str, names: Sequence[str]) -> list[str]:
    listed = bag_metadata(place).get("relative_file_paths")
    if not isinstance(listed, list) or not listed:
        return _numbered_parts(place, names)
    # Older bags name their parts from the directory above; all of them lie beside the list.
    parts = [PurePosixPath(str(entry)).name for entry in listed]
    missing = [name for name in parts if name not in names]
    if missing:
        raise BadRecording(
            f"{len(missing)} of {len(parts)} parts of the bag are missing: {_some(missing)}",
            where=place,
            remedy="copy the whole directory again, or give the parts that are there one by one",
        )
    return parts


def _numbered_parts(place: str, names: Sequence[str]) -> list[str]:
    recordings = [name for name in names if _RECORDING.fullmatch(name)]
    if len(recordings) == 1:
        return recordings
    if not recordings:
        raise BadRecording("a directory without a recording", where=place, remedy="give the recording itself")
    matches = [_PART.fullmatch(name) for name in recordings]
    found = [match for match in matches if match]
    if len(found) < len(matches) or len({(match["stem"], match["suffix"]) for match in found}) > 1:
        raise BadRecording(
            f"a directory of {len(recordings)} recordings that are not the numbered parts of one: "
            f"{_some(recordings)}",
            where=place,
            remedy="give one of them",
        )
    numbers = sorted(int(match["number"]) for match in found)
    if numbers[-1] - numbers[0] != len(numbers) - 1:
        raise BadRecording(
            f"{len(numbers)} files are numbered {numbers[0]} to {numbers[-1]}: parts of a recording are missing, "
            "or these are several recordings",
            where=place,
            remedy="copy the missing parts too, or give the files one by one",
        )
    return [match.string for match in sorted(found, key=lambda match: int(match["number"]))]


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
