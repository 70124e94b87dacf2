"""Which detector backends exist, what their names are, and how one or several of them are made.

A new backend is a module with a detector and a `BackendOptions`, a field of `FaceBlurConfig` where it has settings, and
one line in `BACKENDS`; help texts, checks and error messages follow from that line.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from episode_assets.anonymization.blazeface import BlazeFaceOptions
from episode_assets.anonymization.centerface import CenterFaceOptions
from episode_assets.anonymization.detectors import (
    BackendOptions,
    FaceDetector,
    FaceDetectorFactory,
    Label,
)
from episode_assets.anonymization.egoblur import EgoBlurOptions
from episode_assets.anonymization.retinaface import RetinaFaceOptions
from episode_assets.anonymization.union import DetectorUnion
from episode_assets.errors import BadConfig
from episode_assets.outcome import ModelUse

JOINT = "+"
"""Between the names of a union."""


class Sections(Protocol):
    """The settings of all backends that have some, as `FaceBlurConfig` holds them."""

    @property
    def centerface(self) -> CenterFaceOptions:
        """Settings of `centerface`."""

    @property
    def blazeface(self) -> BlazeFaceOptions:
        """Settings of `blazeface`."""

    @property
    def retinaface(self) -> RetinaFaceOptions:
        """Settings of `retinaface`."""

    @property
    def egoblur(self) -> EgoBlurOptions:
        """Settings of `egoblur`."""


class Backend(NamedTuple):
    """One line of the table.

    Attributes:
        summary: What it finds and what it needs, for help texts.
        options: Takes its settings out of the sections.
        section_type: The type of its section, whose defaults mean that nothing is set; None without one.
    """

    summary: str
    options: Callable[[Sections], BackendOptions]
    section_type: Callable[[], object] | None = None


BACKENDS: Mapping[str, Backend] = MappingProxyType(
    {
        "centerface": Backend(
            "faces; weights by `models fetch`", lambda sections: sections.centerface, CenterFaceOptions
        ),
        "blazeface": Backend(
            "faces, a light second opinion; weights by `models fetch`",
            lambda sections: sections.blazeface,
            BlazeFaceOptions,
        ),
        "retinaface": Backend(
            "faces; package batch-face, weights by path",
            lambda sections: sections.retinaface,
            RetinaFaceOptions,
        ),
        "egoblur": Backend(
            "faces and licence plates; packages torch and torchvision, weights by path",
            lambda sections: sections.egoblur,
            EgoBlurOptions,
        ),
    }
)
"""The built-in backends by name."""

HELP = (
    "; ".join(f"{name} ({backend.summary})" for name, backend in BACKENDS.items())
    + f"; several joined by {JOINT}, as in centerface{JOINT}egoblur, whose boxes are united; or an import path "
    "package.module:factory"
)
"""What a detector can be, for the help texts of settings that name one."""


def names_in(chosen: str, *, setting: str) -> tuple[str, ...]:
    """Return the names that a setting joins: registered ones, or import paths.

    Raises:
        BadConfig: A name is unknown, empty, or there twice.
    """
    names = tuple(name.strip() for name in str(chosen).split(JOINT))
    for name in names:
        if name not in BACKENDS and not all(part.strip() for part in _path_parts(name)):
            raise _unknown(name, "no such name", setting)
    if len(set(names)) < len(names):
        raise BadConfig(f"{setting} names one detector twice: {chosen!r}", remedy="name each of them once")
    return names


def check_backends(sections: Sections, *, detector: str, audit_detector: str) -> None:
    """Refuse settings that name no detector, leave faces or what is blurred unsearched, or have no effect.

    Touches no disk. What an import path finds is not known here; it is taken for faces.

    Raises:
        BadConfig: With the setting and what to set instead.
    """
    found = {}
    for setting, chosen in (("detector", detector), ("audit_detector", audit_detector)):
        for options in _chosen(sections, chosen, setting=setting):
            options.check()
        found[setting] = labels_of(sections, chosen)
    for setting, labels in found.items():
        if Label.FACE not in labels:
            raise BadConfig(
                f"{setting} finds no faces",
                where=setting,
                remedy=f"give egoblur.faces too, or join a face detector: centerface{JOINT}egoblur",
            )
    unsearched = found["detector"] - found["audit_detector"]
    if unsearched:
        raise BadConfig(
            f"{detector} finds {', '.join(sorted(unsearched))}s, which {audit_detector} would not look for again",
            where="audit_detector",
            remedy=f"set audit_detector to a detector that finds them too, such as {detector}",
        )
    used = {*names_in(detector, setting="detector"), *names_in(audit_detector, setting="audit_detector")}
    for name, backend in BACKENDS.items():
        if backend.section_type and name not in used and backend.options(sections) != backend.section_type():
            raise BadConfig(
                f"{name} has settings, and no detector uses it",
                where=name,
                remedy=f"add {name} to detector or audit_detector, or take its settings out",
            )


def make_detector(chosen: str, sections: Sections, *, score_threshold: float) -> FaceDetector | DetectorUnion:
    """Return the detector that a setting names; a union where it stands for several.

    Raises:
        BadConfig: A name is not registered and leads nowhere.
        ModelMissing: A weight file or a package is not there.
    """
    members = tuple(
        member
        for options in _chosen(sections, chosen, setting="detector")
        for member in options.make(score_threshold=score_threshold)
    )
    return members[0] if len(members) == 1 else DetectorUnion(members)


def require_detectors(sections: Sections, *choices: str) -> None:
    """Look whether everything is there that detectors need, without loading them; cheap.

    Raises:
        BadConfig: A name is not registered and leads nowhere.
        ModelMissing: A weight file or a package is not there; the message has the remedy.
    """
    for options in _all_chosen(sections, choices):
        options.require()


def labels_of(sections: Sections, chosen: str) -> frozenset[Label]:
    """Return what is found by the detectors that a setting names."""
    return frozenset(label for options in _all_chosen(sections, (chosen,)) for label in options.labels)


def finders_of(sections: Sections, chosen: str, label: Label) -> str:
    """Return those of the detectors that a setting joins that may have found something of a kind."""
    names = names_in(chosen, setting="detector")
    options = _chosen(sections, chosen, setting="detector")
    finders = [name for name, each in zip(names, options, strict=True) if label in each.labels]
    return JOINT.join(finders or names)


def models_of(sections: Sections, *choices: str) -> tuple[ModelUse, ...]:
    """Return the weight files that detectors would use, each once, for the fingerprint."""
    uses = (use for options in _all_chosen(sections, choices) for use in options.models())
    return tuple(dict.fromkeys(uses))


def unhashed_of(sections: Sections, *choices: str) -> tuple[str, ...]:
    """Return the import paths among detectors that name no weight files, so that no digest stands for them."""
    chosen = _all_chosen(sections, choices)
    plugged = (options for options in chosen if isinstance(options, _Plugged))
    return tuple(dict.fromkeys(options.path for options in plugged if not options.models()))


@dataclass(frozen=True)
class _Plugged:
    """A detector by import path; see `detectors.BackendOptions`."""

    path: str
    setting: str

    labels = frozenset({Label.FACE})

    def check(self) -> None:
        """Accept: what it needs is known to itself."""

    def models(self) -> tuple[ModelUse, ...]:
        """Return the weight files that the factory names; none where it does not say."""
        named = getattr(_find_factory(self.path, self.setting), "models", None)
        return tuple(named()) if callable(named) else ()

    def require(self) -> None:
        """Look for the factory."""
        _find_factory(self.path, self.setting)

    def make(self, *, score_threshold: float) -> tuple[FaceDetector, ...]:
        """Call the factory."""
        return (_find_factory(self.path, self.setting)(score_threshold=score_threshold),)


def _chosen(sections: Sections, chosen: str, *, setting: str) -> tuple[BackendOptions, ...]:
    return tuple(
        BACKENDS[name].options(sections) if name in BACKENDS else _Plugged(name, setting)
        for name in names_in(chosen, setting=setting)
    )


def _all_chosen(sections: Sections, choices: tuple[str, ...]) -> tuple[BackendOptions, ...]:
    return tuple(options for chosen in choices for options in _chosen(sections, chosen, setting="detector"))


def _path_parts(name: str) -> tuple[str, str]:
    module, _, attribute = name.partition(":")
    return module, attribute


def _find_factory(path: str, setting: str) -> FaceDetectorFactory:
    module, attribute = _path_parts(path)
    try:
        factory: Any = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise _unknown(path, str(error), setting) from error
    found: FaceDetectorFactory = factory
    return found


def _unknown(name: str, why: str, setting: str) -> BadConfig:
    known = ", ".join(BACKENDS)
    return BadConfig(
        f"there is no face detector {name!r} ({why})",
        where=setting,
        remedy=f"use one of {known}, several joined by {JOINT}, or an import path such as package.module:factory",
    )
