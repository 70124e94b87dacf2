"""One representative of intrinsics and axes, in `calibrations/`. Intrinsics of every picture belong to `footage`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle.layout import CALIBRATION_META, CALIBRATIONS, R_OPTICAL_TO_LINK
from episode_assets.errors import ArtifactDamaged
from episode_assets.footage import Intrinsics
from episode_assets.outcome import Json


@dataclass(frozen=True)
class Calibrations:
    """What `calibrations/` holds.

    Attributes:
        K_rgb: (3, 3) float64 or None.
        D_rgb: (n,) float64 or None.
        K_depth: (3, 3) float64 or None.
        D_depth: (n,) float64 or None.
        R_link_from_optical: (3, 3), p_link = R p_optical.
        R_source: `tf`, `profile` or `assumed`.
        offset_m: (3,) origin of the optical frame in the link, p_link = R p_optical + offset.
        meta: The content of `calibrations/meta.json`.
    """

    K_rgb: NDArray[np.float64] | None
    D_rgb: NDArray[np.float64] | None
    K_depth: NDArray[np.float64] | None
    D_depth: NDArray[np.float64] | None
    R_link_from_optical: NDArray[np.float64]
    R_source: str
    offset_m: NDArray[np.float64]
    meta: Mapping[str, Json]


def write_calibrations(
    directory: Path,
    *,
    rgb: Intrinsics | None,
    depth: Intrinsics | None,
    link_from_optical: tuple[NDArray[np.float64], str],
    offset_m: NDArray[np.float64],
    padding_px: tuple[int, int],
) -> list[str]:
    """Write the `.npy` files and `meta.json` of `calibrations/`; returns their paths relative to `directory`."""
    folder = directory / CALIBRATIONS
    folder.mkdir()
    R, R_source = link_from_optical
    np.save(folder / R_OPTICAL_TO_LINK, np.asarray(R, dtype=np.float64))
    meta: dict[str, Json] = {
        "R_optical_to_link": R_OPTICAL_TO_LINK,
        "R_source": R_source,
        "t_optical_to_link_m": [float(value) for value in offset_m],
    }
    written = [R_OPTICAL_TO_LINK]
    for name, part in (("rgb", rgb), ("depth", depth)):
        if part is None:
            continue
        np.save(folder / f"{name}_K.npy", part.representative)
        np.save(folder / f"{name}_D.npy", part.D)
        written += [f"{name}_K.npy", f"{name}_D.npy"]
        meta[name] = _described(name, part)
    if rgb is not None:
        meta["rgb"] = {**_described("rgb", rgb), "encoded_padding_px": list(padding_px)}
    text = json.dumps(meta, indent=2, sort_keys=True, allow_nan=False) + "\n"
    (directory / CALIBRATION_META).write_text(text, encoding="utf-8")
    return [CALIBRATION_META, *(f"{CALIBRATIONS}/{name}" for name in written)]


def _described(name: str, part: Intrinsics) -> dict[str, Json]:
    described: dict[str, Json] = {
        "width": part.width,
        "height": part.height,
        "distortion_model": part.distortion_model,
        "files": {"K": f"{name}_K.npy", "D": f"{name}_D.npy"},
        "K_of": "median over the frames",
        "K_source": part.source,
    }
    if name == "depth":
        described["units"] = "mm (uint16)"
    return described


def read_calibrations(directory: Path, *, remedy: str) -> Calibrations:
    """Read `calibrations/` of a bundle.

    Raises:
        ArtifactDamaged: A file that `meta.json` names is missing or unreadable.
    """
    folder = directory / CALIBRATIONS
    try:
        meta = json.loads((directory / CALIBRATION_META).read_text(encoding="utf-8"))
        arrays = {
            f"{name}_{kind}": np.load(folder / meta[name]["files"][kind], allow_pickle=False)
            for name in ("rgb", "depth")
            if name in meta
            for kind in ("K", "D")
        }
        R = np.load(folder / str(meta["R_optical_to_link"]), allow_pickle=False)
        source = str(meta["R_source"])
        offset_m = np.array(meta["t_optical_to_link_m"], dtype=np.float64).reshape(3)
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise ArtifactDamaged(f"{error!r}", where=CALIBRATIONS, remedy=remedy) from error
    return Calibrations(
        K_rgb=arrays.get("rgb_K"),
        D_rgb=arrays.get("rgb_D"),
        K_depth=arrays.get("depth_K"),
        D_depth=arrays.get("depth_D"),
        R_link_from_optical=R,
        R_source=source,
        offset_m=offset_m,
        meta=meta,
    )
