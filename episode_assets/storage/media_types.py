"""What kind of file each ending stands for, as manifests say it. A file of a new kind is entered here."""

from __future__ import annotations

from pathlib import PurePosixPath

UNKNOWN = "application/octet-stream"

_BY_ENDING = {
    ".css": "text/css",
    ".hdf5": "application/x-hdf5",
    ".html": "text/html",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".mkv": "video/matroska",
    ".mp4": "video/mp4",
    ".npy": "application/x-npy",
    ".parquet": "application/vnd.apache.parquet",
    ".ply": "model/ply",
    ".png": "image/png",
    ".rrd": "application/x-rerun",
}


def media_type(path: str) -> str:
    """Return the media type of a file by its ending."""
    return _BY_ENDING.get(PurePosixPath(path).suffix.lower(), UNKNOWN)
