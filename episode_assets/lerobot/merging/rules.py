"""Which datasets fit together: LeRobot's rules, and ours about masks, recordings and privacy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from episode_assets.lerobot.existing import ExistingDataset
from episode_assets.lerobot.existing.v2 import MODALITY
from episode_assets.lerobot.strict_json import read_json

LOOSE: Mapping[str, Any] = {
    "video.g": None,
    "video.crf": None,
    "video.preset": None,
    "video.fast_decode": None,
    "video.extra_options": {},
}
"""What is known of an encoder, and what is said where datasets disagree; all else of a camera must be equal."""

_BACKEND = {"video.video_backend": "pyav"}
_IDENTITY = ("codebase_version", "fps", "robot_type")


def differences(datasets: Sequence[ExistingDataset]) -> Iterator[str]:
    """Yield why datasets cannot be joined, naming the first one that differs from the very first."""
    first = datasets[0]
    for other in datasets[1:]:
        name = other.root.name
        for key in _IDENTITY:
            if first.info.get(key) != other.info.get(key):
                yield f"{name}: {key} is {other.info.get(key)!r}, not {first.info.get(key)!r}"
        for key in sorted(set(first.features) ^ set(other.features)):
            yield f"{name}: feature {key} is in only one of the datasets"
        for key in sorted(set(first.features) & set(other.features)):
            yield from _feature(name, key, first.info["features"][key], other.info["features"][key])
        if first.provenance.get("masks") != other.provenance.get("masks"):
            yield f"{name}: the masks of its features are others"
        if _modality(first) != _modality(other):
            yield f"{name}: {MODALITY} is another one"
        if _audit(first) != _audit(other):
            yield f"{name}: the pictures of one dataset have passed the audit, and those of the other are unknown"
    yield from _repeated(datasets)


def _feature(name: str, key: str, first: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    if _strict(first) == _strict(other):
        return
    for part in sorted(set(first) | set(other)):
        a, b = _strict(first).get(part), _strict(other).get(part)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            changed = sorted(fact for fact in {*a, *b} if a.get(fact) != b.get(fact))
            yield from (
                f"{name}: {fact} of {key} is {b.get(fact)!r}, not {a.get(fact)!r}" for fact in changed
            )
        elif a != b:
            yield f"{name}: {part} of {key} is {b!r}, not {a!r}"


def _strict(feature: Mapping[str, Any]) -> dict[str, Any]:
    loose = {*LOOSE, *_BACKEND}
    return {
        part: {fact: v for fact, v in value.items() if fact not in loose} if part == "info" else value
        for part, value in feature.items()
    }


def _modality(dataset: ExistingDataset) -> Any:
    path = dataset.root / MODALITY
    return read_json(path) if path.exists() else None


def _audit(dataset: ExistingDataset) -> Any:
    return dataset.provenance.get("privacy", {}).get("audit")


def _repeated(datasets: Sequence[ExistingDataset]) -> Iterator[str]:
    counts: Counter[str] = Counter()
    for dataset in datasets:
        counts.update({str(entry["recording_id"]) for entry in dataset.provenance.get("recordings", ())})
    for recording, count in sorted(counts.items()):
        if count > 1:
            yield f"recording {recording} is in {count} of the datasets, and would count twice"


def merged_features(datasets: Sequence[ExistingDataset]) -> dict[str, Any]:
    """Return `features` of the joined dataset: those of the first one, with what is known of the encoders."""
    found = {}
    for key, feature in datasets[0].info["features"].items():
        entry = dict(feature)
        if datasets[0].features[key].is_video and "info" in entry:
            infos = [dataset.info["features"][key]["info"] for dataset in datasets]
            entry["info"] = dict(entry["info"]) | {
                fact: infos[0].get(fact, unknown) if _agree(infos, fact) else unknown
                for fact, unknown in LOOSE.items()
            }
            entry["info"] |= _BACKEND
        found[key] = entry
    return found


def _agree(infos: Sequence[Mapping[str, Any]], fact: str) -> bool:
    return all(info.get(fact) == infos[0].get(fact) for info in infos)
