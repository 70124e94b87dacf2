"""Which hand backends exist, what each has to say about itself, and how the chosen one is made.

There are three kinds: a detector and an estimator that are followed through time (`Backend`), boxes of every picture
and a network that reads them (`BoxBackend`), and hands that are known already and only looked up (`precomputed`).
A new backend is a module with its `BackendOptions`, a section of `HandPoseConfig` where it has settings, and one line
in `BACKENDS`; help texts, checks and error messages follow from that line.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from episode_assets import models
from episode_assets.errors import BadConfig
from episode_assets.hands.box_backend import BoxBackend
from episode_assets.hands.landmarks import LandmarkEstimator, Readings
from episode_assets.hands.mano_options import HaMeROptions, ManoOptions, WiLoROptions
from episode_assets.hands.networks import load_network, require_runtime
from episode_assets.hands.palms import PalmDetector, plan_crops, plan_tiles
from episode_assets.hands.precomputed import PrecomputedOptions
from episode_assets.hands.regions import Regions
from episode_assets.outcome import ModelUse

if TYPE_CHECKING:
    from episode_assets.hands.config import HandPoseConfig


class HandDetector(Protocol):
    """Proposes where hands could be; false proposals are cheap, misses are not."""

    def detect(self, rgb: NDArray[np.uint8]) -> Regions:
        """Return (N, 4) regions of an (H, W, 3) picture, best first, each hand once."""


class WideDetector(Protocol):
    """Proposes where small hands could be, away from those that are known."""

    def detect_beside(self, rgb: NDArray[np.uint8], known: Regions) -> Regions:
        """Return (N, 4) regions of an (H, W, 3) picture, best first, beside the (M, 4) regions of known hands."""


class HandEstimator(Protocol):
    """Reads the hands in given regions."""

    def estimate(self, rgb: NDArray[np.uint8], regions: Regions) -> Readings:
        """Return one reading for each of (N, 4) regions of an (H, W, 3) picture; N may be 0."""

    def next_regions(self, readings: Readings) -> Regions:
        """Return the (N, 4) regions in which these hands should be looked for next."""


@dataclass(frozen=True)
class Backend:
    """A detector and an estimator that belong together.

    Attributes:
        detector: Looks at key frames.
        estimator: Reads hands, and whether they are hands.
        wide_detector: Looks at some key frames more closely, for small hands; None for no such look.
        second: Is asked too whether a new hand is one; None for no second opinion.
    """

    detector: HandDetector
    estimator: HandEstimator
    wide_detector: WideDetector | None = None
    second: HandEstimator | None = None


Loaded: TypeAlias = Backend | BoxBackend | None
"""What a worker looks at pictures with; None where hands are known without looking."""


class BackendOptions(models.Needs, Protocol):
    """The settings of one backend."""

    def make(self) -> Loaded:
        """Load it in this process.

        Raises:
            ModelMissing: A file or a package is not there, or a file is not what it should be.
        """


class BackendEntry(NamedTuple):
    """One line of the table.

    Attributes:
        summary: What it is and what it needs, for help texts.
        options: Takes its settings out of the configuration.
        section_type: The type of its own section, whose defaults mean that nothing is set; None without one.
    """

    summary: str
    options: Callable[[HandPoseConfig], BackendOptions]
    section_type: Callable[[], object] | None = None


@dataclass(frozen=True)
class MediaPipeOptions:
    """MediaPipe's palm and landmark networks; see `BackendOptions`."""

    config: HandPoseConfig

    def check(self) -> None:
        """Accept: unknown weight names are told when they are looked for."""

    def models(self) -> tuple[ModelUse, ...]:
        """Return the registered weight files."""
        return tuple(models.use(name) for name in (*self._palms(), *self._landmarks()))

    def require(self) -> None:
        """Look for the files and the runtime."""
        for name in (*self._palms(), *self._landmarks()):
            models.find(name)
        require_runtime(self.config.precision)

    def make(self) -> Backend:
        """Load the networks."""
        config = self.config
        palms = [load_network(models.find(name), config.precision) for name in self._palms()]
        squares = partial(plan_crops, squares=config.palm_squares)
        first, *second = (
            LandmarkEstimator(
                models.find(name), mirrored_input=config.mirrored_input, precision=config.precision
            )
            for name in self._landmarks()
        )
        return Backend(
            PalmDetector(palms, threshold=config.palm_threshold, plan=squares),
            first,
            PalmDetector(palms, threshold=config.palm_threshold, plan=plan_tiles),
            *second,
        )

    def _palms(self) -> list[str]:
        return _named(self.config.palm_model, self.config.second_palm_model)

    def _landmarks(self) -> list[str]:
        return _named(self.config.landmark_model, self.config.second_landmark_model)


def _named(first: str, second: str) -> list[str]:
    return [first] if second == NO_MODEL else [first, second]


@dataclass(frozen=True)
class _Plugged:
    """A backend by import path; see `BackendOptions`."""

    config: HandPoseConfig

    def check(self) -> None:
        """Accept: what it needs is known to itself."""

    def models(self) -> tuple[ModelUse, ...]:
        """Return nothing: it would have to be loaded."""
        return ()

    def require(self) -> None:
        """Look for the factory."""
        _find_factory(self.config.backend)

    def make(self) -> Loaded:
        """Call the factory."""
        return _find_factory(self.config.backend)(self.config)


PRECOMPUTED = "precomputed"

NO_MODEL = "none"
"""Instead of the name of a weight file that need not be."""

BACKENDS: Mapping[str, BackendEntry] = MappingProxyType(
    {
        "mediapipe": BackendEntry(
            "palms are searched, hands followed; weights by `models fetch`", MediaPipeOptions
        ),
        "wilor": BackendEntry(
            "every hand is boxed and read with MANO's numbers; networks by path",
            lambda config: config.wilor,
            WiLoROptions,
        ),
        "hamer": BackendEntry(
            "the same with HaMeR's network",
            lambda config: config.hamer,
            HaMeROptions,
        ),
        PRECOMPUTED: BackendEntry(
            "hands that the recording or a Parquet file brings, never changed",
            lambda config: config.precomputed,
            PrecomputedOptions,
        ),
    }
)
"""The built-in backends by name."""

HELP = (
    "; ".join(f"{name} ({entry.summary})" for name, entry in BACKENDS.items())
    + "; or an import path package.module:factory"
)
"""What a backend can be, for the help text of the setting."""


def options_of(config: HandPoseConfig) -> BackendOptions:
    """Return the settings of the backend that the configuration names, or gives as `module:factory`."""
    entry = BACKENDS.get(config.backend)
    return _Plugged(config) if entry is None else entry.options(config)


def has_mano(config: HandPoseConfig) -> bool:
    """Whether the backend says more of a hand than its joints: the numbers of MANO."""
    return isinstance(options_of(config), ManoOptions)


def errors_are_known(config: HandPoseConfig) -> bool:
    """Whether it was measured how far off the backend's joints are, which `uncertainty` states: MediaPipe's only."""
    return isinstance(options_of(config), MediaPipeOptions)


def check_backend(config: HandPoseConfig) -> None:
    """Refuse settings that name no backend, leave it without what it needs, or have no effect; touches no disk.

    Raises:
        BadConfig: With the setting and what to set instead.
    """
    if config.backend not in BACKENDS and not all(_path_parts(config.backend)):
        raise _unknown(config.backend, "no such name")
    options_of(config).check()
    for name, entry in BACKENDS.items():
        is_set = entry.section_type is not None and entry.options(config) != entry.section_type()
        if is_set and name != config.backend:
            raise BadConfig(
                f"{name} has settings, and the backend is {config.backend}",
                where=name,
                remedy=f"set backend to {name}, or take its settings out",
            )


def load_backend(config: HandPoseConfig) -> Loaded:
    """Load the backend that the configuration names, or gives as `module:factory`.

    Raises:
        BadConfig: There is no such backend.
        ModelMissing: A weight file or the runtime is not there.
    """
    return options_of(config).make()


def _path_parts(name: str) -> tuple[str, str]:
    module, _, attribute = str(name).partition(":")
    return module.strip(), attribute.strip()


def _find_factory(path: str) -> Callable[[HandPoseConfig], Loaded]:
    module, attribute = _path_parts(path)
    try:
        factory: Any = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise _unknown(path, str(error)) from error
    found: Callable[[HandPoseConfig], Loaded] = factory
    return found


def _unknown(name: str, why: str) -> BadConfig:
    return BadConfig(
        f"no hand backend is called {name!r} ({why})",
        where="backend",
        remedy=f"use one of: {', '.join(BACKENDS)}, or an import path such as package.module:factory",
    )
