"""What a demo recording can be asked to contain.

Add an option here when a test or a measurement needs a recording of another kind; what an option means for the
picture or the file stands where that part is made. Options that only change how fast it is made do not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from episode_assets.errors import BadConfig

Depth = Literal["clean", "phone"]
Gravity = Literal["removed", "included"]
Furnishing = Literal["fixed", "seeded"]
Place = Literal["table", "wall"]
Wearer = Literal["both", "left", "right"]
Clock = Literal["camera", "rgb"]
Interval = tuple[float, float]

FRAME_RATES_HZ = (5, 10, 15, 30, 60)
"""Rates that the phone app can gate out of its 60 Hz stream of frames."""

BARCODE_BLOCKS = 16
BARCODE_BLOCK_PX = 16


@dataclass(frozen=True)
class DemoConfig:
    """One demo recording. Equal configurations give equal bytes.

    Colours are (red, green, blue), 0 to 255 each; `None` paints none.
    """

    seconds: float = field(
        default=10.0,
        metadata={"help": "length in seconds, 0 or more; 0 writes a valid recording without any message"},
    )
    width: int = field(default=1280, metadata={"help": "picture width in pixels, 32 to 3840"})
    height: int = field(default=720, metadata={"help": "picture height in pixels, 32 to 2160"})
    fps: int = field(default=15, metadata={"help": "pictures per second: 5, 10, 15, 30 or 60"})
    seed: int = field(default=7, metadata={"help": "number that textures, motion and jitter follow from"})
    jpeg_quality: int = field(default=85, metadata={"help": "JPEG quality, 1 to 100"})
    capture_scale: float = field(
        default=1.5,
        metadata={
            "help": "camera_info describes a capture buffer this many times larger than the pictures, as on the "
            "phone; 1 makes both equal"
        },
    )
    depth_width: int = field(default=256, metadata={"help": "depth width in pixels"})
    depth_height: int = field(
        default=0, metadata={"help": "depth height in pixels; 0 follows the aspect ratio of the pictures"}
    )
    imu_hz: int = field(default=100, metadata={"help": "rate of /device/imu: 50, 100 or 200"})
    imu_noise: float = field(default=1.0, metadata={"help": "IMU noise relative to a phone's; 0 is exact"})
    imu_gravity: Gravity = field(
        default="removed",
        metadata={"help": "gravity in /device/imu: removed, as on iOS, or included, as on Android"},
    )
    motion: float = field(
        default=1.0, metadata={"help": "camera motion relative to a calm head; 0 is a tripod"}
    )
    turns_per_min: float = field(
        default=0.0,
        metadata={"help": "turns of the head to a side and back per minute, 0 to 20"},
    )
    turn_deg: float = field(
        default=30.0, metadata={"help": "how far such a turn goes on average, 1 to 120 degrees"}
    )
    roll_deg: float = field(
        default=0.0,
        metadata={
            "help": "roll of the camera about its optical axis in degrees, -360 to 360; positive is clockwise for "
            "somebody who looks along with the camera, so that the scene appears turned counter-clockwise"
        },
    )
    depth: Depth = field(
        default="clean",
        metadata={
            "help": "clean: depth of the geometry; phone: smoothed, bled over edges, noisy and with dropouts"
        },
    )
    furnishing: Furnishing = field(
        default="fixed",
        metadata={
            "help": "fixed: the same room for every seed; seeded: colours, materials, what hangs on the walls and "
            "what stands on the table follow from the seed"
        },
    )
    place: Place = field(
        default="table",
        metadata={"help": "table: at a table in the room; wall: before a bare white wall, and nothing else"},
    )
    light: float = field(
        default=1.0, metadata={"help": "light in the room relative to that of a bright day, 0.05 to 1"}
    )
    sensor_noise: float = field(
        default=0.0,
        metadata={"help": "noise of the pictures, standard deviation in grey levels, 0 to 20; 0 is exact"},
    )
    with_face: bool = field(default=True, metadata={"help": "a person passes behind the table"})
    with_hands: bool = field(default=True, metadata={"help": "the wearer's hands move in view"})
    hands_shown: Wearer = field(
        default="both", metadata={"help": "which of the wearer's hands: both, left, right"}
    )
    with_rgb: bool = field(default=True, metadata={"help": "write pictures"})
    with_depth: bool = field(default=True, metadata={"help": "write depth and its camera_info"})
    with_imu: bool = field(default=True, metadata={"help": "write the IMU streams and their intrinsics"})
    with_pose: bool = field(default=True, metadata={"help": "write pose, tf, trajectory and point cloud"})
    with_camera_info: bool = field(default=True, metadata={"help": "write camera_info for each picture"})
    with_tracking_state: bool = field(default=True, metadata={"help": "write the 60 Hz tracking state"})
    with_mesh: bool = field(default=True, metadata={"help": "write mesh and mesh cloud at the end"})
    lost_interval_s: tuple[float, float] | None = field(
        default=None,
        metadata={"help": "(start, end) in seconds during which tracking is lost and no picture is written"},
    )
    gap_interval_s: Interval | None = field(
        default=None,
        metadata={
            "help": "(start, end) in seconds without pictures, depth and pose although tracking is normal"
        },
    )
    black_interval_s: Interval | None = field(
        default=None, metadata={"help": "(start, end) in seconds during which pictures are black"}
    )
    frozen_interval_s: Interval | None = field(
        default=None,
        metadata={
            "help": "(start, end) in seconds during which the picture before is repeated; all else goes on"
        },
    )
    covered_interval_s: Interval | None = field(
        default=None,
        metadata={
            "help": "(start, end) in seconds during which a finger covers the lens and the depth sensor"
        },
    )
    clock_shift_ms: float = field(
        default=0.0,
        metadata={
            "help": "by how much a clock is ahead of that of /device/imu, -400 to 400 ms; log times stay true"
        },
    )
    shifted_clock: Clock = field(
        default="camera",
        metadata={
            "help": "whose clock: camera, that of pictures, depth, pose and tracking, as between camera and IMU of a "
            "phone; rgb, that of pictures and their camera_info alone, as of a camera beside a rig"
        },
    )
    corrupt_frames: tuple[int, ...] = field(
        default=(), metadata={"help": "message numbers of pictures whose JPEG bytes are damaged"}
    )
    barcode: bool = field(
        default=False,
        metadata={"help": "paint the message number as 16 black and white blocks at the lower border"},
    )
    face_marker: tuple[int, int, int] | None = field(
        default=None, metadata={"help": "colour of the marks painted on the face"}
    )
    mesh_colour: tuple[int, int, int] | None = field(
        default=None, metadata={"help": "colour given to every point of the mesh marker"}
    )

    def __post_init__(self) -> None:
        """Check every option that has a range; raise `BadConfig` on the first that is outside."""
        _require(0 <= self.seconds <= 7200, "seconds", self.seconds, "0 to 7200")
        _require(32 <= self.width <= 3840, "width", self.width, "32 to 3840")
        _require(32 <= self.height <= 2160, "height", self.height, "32 to 2160")
        _require(self.fps in FRAME_RATES_HZ, "fps", self.fps, f"one of {FRAME_RATES_HZ}")
        _require(0 <= self.seed < 2**32, "seed", self.seed, "0 to 4294967295")
        _require(1 <= self.jpeg_quality <= 100, "jpeg_quality", self.jpeg_quality, "1 to 100")
        _require(1 <= self.capture_scale <= 4, "capture_scale", self.capture_scale, "1 to 4")
        _require(16 <= self.depth_width <= 1024, "depth_width", self.depth_width, "16 to 1024")
        _require(0 <= self.depth_height <= 1024, "depth_height", self.depth_height, "0 to 1024")
        _require(self.imu_hz in {50, 100, 200}, "imu_hz", self.imu_hz, "50, 100 or 200")
        _require(0 <= self.imu_noise <= 100, "imu_noise", self.imu_noise, "0 to 100")
        _require(0 <= self.motion <= 5, "motion", self.motion, "0 to 5")
        _require(-360 <= self.roll_deg <= 360, "roll_deg", self.roll_deg, "-360 to 360")
        _require(self.depth in get_args(Depth), "depth", self.depth, f"one of {get_args(Depth)}")
        _require(
            self.imu_gravity in get_args(Gravity),
            "imu_gravity",
            self.imu_gravity,
            f"one of {get_args(Gravity)}",
        )
        _require(0 <= self.turns_per_min <= 20, "turns_per_min", self.turns_per_min, "0 to 20")
        _require(1 <= self.turn_deg <= 120, "turn_deg", self.turn_deg, "1 to 120")
        _require(0.05 <= self.light <= 1, "light", self.light, "0.05 to 1")
        _require(0 <= self.sensor_noise <= 20, "sensor_noise", self.sensor_noise, "0 to 20")
        _require(-400 <= self.clock_shift_ms <= 400, "clock_shift_ms", self.clock_shift_ms, "-400 to 400")
        choices = (
            ("furnishing", get_args(Furnishing)),
            ("place", get_args(Place)),
            ("hands_shown", get_args(Wearer)),
            ("shifted_clock", get_args(Clock)),
        )
        for name, words in choices:
            _require(getattr(self, name) in words, name, getattr(self, name), f"one of {words}")
        for name in ("face_marker", "mesh_colour"):
            colour = getattr(self, name)
            good = colour is None or (len(colour) == 3 and all(0 <= value <= 255 for value in colour))
            _require(good, name, colour, "three numbers from 0 to 255")
        for kind in ("lost", "gap", "black", "frozen", "covered"):
            name = f"{kind}_interval_s"
            interval = getattr(self, name)
            good = interval is None or 0 <= interval[0] < interval[1]
            _require(good, name, interval, "start before end, both from 0")
        fits = self.width >= BARCODE_BLOCKS * BARCODE_BLOCK_PX
        _require(not self.barcode or fits, "width", self.width, "at least 256 with a barcode")

    @property
    def depth_size(self) -> tuple[int, int]:
        """Width and height of the depth pictures in pixels."""
        height = self.depth_height or max(1, round(self.depth_width * self.height / self.width))
        return self.depth_width, height

    @property
    def capture_size(self) -> tuple[int, int]:
        """Width and height of the capture buffer that camera_info describes, in pixels."""
        return round(self.width * self.capture_scale), round(self.height * self.capture_scale)


def _require(holds: bool, name: str, value: object, rule: str) -> None:
    if not holds:
        raise BadConfig(
            f"demo option {name} is {value!r}, expected {rule}", remedy=f"give {name} a value in that range"
        )
