"""Small pictures for the UI: blurred, out of published bundles, or with all finds filled, out of evidence."""

from __future__ import annotations

import base64

import cv2
import dagster as dg
import numpy as np

from episode_assets.storage import Artifact

WIDTH_PX = 320
"""Width of a picture in an event; events live in the database for ever, and 320 px is about 10 kB."""


def thumbnail(artifact: Artifact, name: str = "thumbnail.jpg") -> dg.MetadataValue[str]:
    """Return a published JPEG, made small, as Markdown that the UI renders.

    The store hands out an artifact with pixels only if its manifest carries a passed audit.
    """
    return dg.MetadataValue.md(inline_picture(artifact.path(name).read_bytes(), name, "face-blurred frame"))


def inline_picture(jpeg: bytes, name: str, words: str) -> str:
    """Return a JPEG, made small unless it is, as Markdown that holds its pixels.

    Args:
        jpeg: The file.
        name: Its name, said where it cannot be decoded.
        words: What it shows.
    """
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        return f"`{name}` cannot be decoded"
    if picture.shape[1] > WIDTH_PX:
        height = max(1, round(picture.shape[0] * WIDTH_PX / picture.shape[1]))
        small = cv2.resize(picture, (WIDTH_PX, height), interpolation=cv2.INTER_AREA)
        jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 75])[1].tobytes()
    return f"![{words}](data:image/jpeg;base64,{base64.b64encode(jpeg).decode()})"
