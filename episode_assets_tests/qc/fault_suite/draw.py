"""What a draw holds: which recordings there are, which of them carry a fault, where and how long it is.

Every number follows from the seed of the draw, which is printed with the result. A new fault or scene is a line in
one of the tables here, an option of the demo recordings, and its rule in `expectation`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from episode_assets.demo import DemoConfig

RATES_HZ: Mapping[int, float] = {5: 0.15, 10: 0.45, 15: 0.3, 30: 0.1}
"""Pictures per second, and how often; what is quick is dear."""
RATES_OF_CLOCKS_HZ: Mapping[int, float] = {10: 0.65, 15: 0.35}
"""At 5 per second pictures are too far apart for an offset to 10 ms."""
SWAPPED_FRAMES = 10
EDGE_S = 2.5
"""What is left at an end of a recording with a fault this far from it is still worth keeping."""
NEAR_S = (0.5, 1.5)
"""What is left of these seconds is not."""
NEAR_SHARE = 0.25
PHONE_SHARE = 0.3

Options = dict[str, Any]
Random = np.random.Generator


@dataclass(frozen=True)
class Fault:
    """What is wrong with a recording.

    Attributes:
        kind: A name out of `FAULTS`.
        start_s, stop_s: Where, seconds from the start, the end excluded; the whole recording for a shifted clock.
        shift_ms: By how much the clock is ahead; 0 for other kinds.
        clock: Whose clock; empty for other kinds.
    """

    kind: str
    start_s: float
    stop_s: float
    shift_ms: float = 0.0
    clock: str = ""

    def __str__(self) -> str:
        if self.shift_ms:
            return f"{self.kind} {self.shift_ms:+.0f} ms ({self.clock})"
        return f"{self.kind} {self.start_s:.2f}..{self.stop_s:.2f} s"


@dataclass(frozen=True)
class Case:
    """One recording of a draw."""

    number: int
    scene: str
    config: DemoConfig
    fault: Fault | None = None

    @property
    def name(self) -> str:
        return f"{self.number:02d}-{self.scene.replace(' ', '-')}"


@dataclass(frozen=True)
class _Kind:
    """A kind of fault: how long it is, by a share more or less, and in which scenes it can be seen at all."""

    seconds: float
    scenes: tuple[str, ...]
    option: str = ""
    spread: float = 0.2


def _usual(random: Random) -> Options:
    return {}


def _tripod(random: Random) -> Options:
    return {"motion": 0.0, "turns_per_min": 0.0}


def _dark_room(random: Random) -> Options:
    return {
        "light": random.uniform(0.4, 0.5),
        "sensor_noise": random.uniform(2.0, 3.5),
        "furnishing": "fixed",
        "depth": "clean",
    }


def _white_wall(random: Random) -> Options:
    return {"place": "wall", "with_hands": bool(random.random() < 0.7)}


def _fast_turn(random: Random) -> Options:
    return {"turns_per_min": random.uniform(4, 8), "turn_deg": random.uniform(70, 110)}


def _one_hand(random: Random) -> Options:
    return {"hands_shown": str(random.choice(["left", "right"]))}


def _no_hand(random: Random) -> Options:
    return {"with_hands": False}


def _person(random: Random) -> Options:
    return {"with_face": True}


SCENES: Mapping[str, Callable[[Random], Options]] = {
    "usual": _usual,
    "tripod": _tripod,
    "dark room": _dark_room,
    "white wall": _white_wall,
    "fast turn": _fast_turn,
    "one hand": _one_hand,
    "no hand": _no_hand,
    "person": _person,
}

_MOVING = tuple(scene for scene in SCENES if scene != "tripod")

FAULTS: Mapping[str, _Kind] = {
    "black": _Kind(3.0, tuple(SCENES), "black_interval_s"),
    "frozen": _Kind(4.0, _MOVING, "frozen_interval_s"),
    "shifted clock": _Kind(0.2, ("usual", "fast turn", "one hand", "no hand")),
    "gap": _Kind(8.0, tuple(SCENES), "gap_interval_s"),
    "swapped hands": _Kind(SWAPPED_FRAMES / 15, ("usual", "dark room", "fast turn", "tripod"), spread=0.0),
    "covered lens": _Kind(3.0, tuple(SCENES), "covered_interval_s"),
}


LEAST_MOTION_WITHOUT_HANDS = 1.2
"""At 0.8 the camera is slower than 0.05 m/s and 0.05 rad/s for 94 % of the time, at 1.2 for half of it."""


@dataclass(frozen=True)
class Draw:
    """All cases that follow from one seed."""

    seed: int
    cases: tuple[Case, ...] = field(repr=False)

    @property
    def faulty(self) -> tuple[Case, ...]:
        return tuple(case for case in self.cases if case.fault is not None)


def draw_cases(
    seed: int,
    *,
    clean: int,
    seconds: float = 20.0,
    faults: Sequence[str] = tuple(FAULTS),
    shorter: float = 1.0,
) -> Draw:
    """Draw recordings: one for each of the faults and some without any, in a drawn order.

    Args:
        seed: What everything follows from.
        clean: Recordings without a fault; each scene is there as often as another, but for one.
        seconds: Length of each recording.
        faults: Kinds of faults, one recording each.
        shorter: By what factor faults that have a length are shorter than they should be, for short recordings.
    """
    random = np.random.default_rng(seed)
    names = list(SCENES)
    scenes = [names[i % len(names)] for i in random.permutation(clean)]
    wanted: list[tuple[str, str | None]] = [(scene, None) for scene in scenes]
    wanted += [(str(random.choice(FAULTS[kind].scenes)), kind) for kind in faults]
    order = random.permutation(len(wanted))
    cases = [
        _case(number, *wanted[place], random=random, seconds=seconds, shorter=shorter)
        for number, place in enumerate(order)
    ]
    return Draw(seed, tuple(cases))


def _case(
    number: int, scene: str, kind: str | None, *, random: Random, seconds: float, shorter: float
) -> Case:
    options: Options = {
        "seconds": seconds,
        "width": 320,
        "height": 180,
        "depth_width": 64,
        "fps": _rate(random, RATES_OF_CLOCKS_HZ if kind == "shifted clock" else RATES_HZ),
        "seed": int(random.integers(2**31)),
        "furnishing": "seeded",
        "motion": random.uniform(0.7, 2.0),
        "turns_per_min": random.uniform(6, 12),
        "turn_deg": random.uniform(15, 35),
        "light": random.uniform(0.75, 1.0),
        "sensor_noise": random.uniform(0.7, 2.5),
        "depth": "phone" if random.random() < PHONE_SHARE else "clean",
        "imu_gravity": str(random.choice(["removed", "included"])),
        "with_face": False,
        **SCENES[scene](random),
    }
    if not options.get("with_hands", True):
        # With neither hands nor a camera that moves, a recording is idle, and told so.
        options["motion"] = max(options["motion"], LEAST_MOTION_WITHOUT_HANDS)
    fault = None if kind is None else _fault(kind, random, seconds, shorter)
    if fault is not None:
        options |= _options_of(fault)
    return Case(number, scene, DemoConfig(**options), fault)


def _fault(kind: str, random: Random, seconds: float, shorter: float) -> Fault:
    about = FAULTS[kind]
    factor = random.uniform(1 - about.spread, 1 + about.spread)
    if kind == "shifted clock":
        sign, clock = random.choice([-1, 1]), str(random.choice(["camera", "rgb"]))
        return Fault(kind, 0.0, seconds, shift_ms=1000 * about.seconds * factor * float(sign), clock=clock)
    length = about.seconds * factor / (1.0 if about.spread == 0 else shorter)
    start = _start(random, seconds - length)
    return Fault(kind, start, start + length)


def _start(random: Random, latest: float) -> float:
    """Return where a fault starts: well within the recording, or now and then near to one of its ends."""
    if random.random() < NEAR_SHARE:
        near = random.uniform(*NEAR_S)
        return near if random.random() < 0.5 else latest - near
    edge = min(EDGE_S, latest / 2)
    return random.uniform(edge, latest - edge)


def _rate(random: Random, rates: Mapping[int, float]) -> int:
    return int(random.choice(list(rates), p=list(rates.values())))


def _options_of(fault: Fault) -> Options:
    if fault.shift_ms:
        return {"clock_shift_ms": fault.shift_ms, "shifted_clock": fault.clock}
    option = FAULTS[fault.kind].option
    return {option: (fault.start_s, fault.stop_s)} if option else {}
