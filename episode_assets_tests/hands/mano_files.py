"""TorchScript files that stand in for WiLoR, HaMeR and a hand detector: called like those, answering from the pixels.

A hand is drawn as six discs of pure colour: wrist red, and the tips of thumb, index, middle, ring and little finger
yellow, green, cyan, magenta and blue. Swapped channels, a wrong crop, scale or order of joints move or lose some of
them. The network of the hand knows right hands only: shown a left one it takes the thumb for the little finger.
"""

from __future__ import annotations

from pathlib import Path

import torch  # noqa: TID253  # only tests that have it import this module
from torch import Tensor, nn  # noqa: TID253

from episode_assets_tests.hands.drawn_hands import COLOURS, PALM_M

ANSWERS = ["pred_keypoints_3d", "betas", "pred_vertices", "hand_pose", "pred_cam", "global_orient"]
"""In no particular order: they are told by their names."""


class Centroids(nn.Module):
    """Finds the centre of the pixels near each of the six colours, (6, 2) x, y; zero where there are none."""

    def __init__(self, colours: list[tuple[int, int, int]]) -> None:
        super().__init__()
        self.register_buffer("colours", torch.tensor(colours, dtype=torch.float32) / 255)

    def forward(self, rgb: Tensor) -> Tensor:
        near = ((rgb[None] - self.colours[:, :, None, None]).abs().amax(dim=1) < 0.35).float()
        ys = torch.arange(rgb.size(1), dtype=torch.float32)
        xs = torch.arange(rgb.size(2), dtype=torch.float32)
        count = near.sum(dim=(1, 2)).clamp(min=1.0)
        x = (near.sum(dim=1) * xs).sum(dim=1) / count
        y = (near.sum(dim=2) * ys).sum(dim=1) / count
        return torch.stack([x, y], dim=1)


def is_right(marks: Tensor) -> Tensor:
    """Whether the little finger comes clockwise after the index finger, seen from the wrist."""
    index, little = marks[2] - marks[0], marks[5] - marks[0]
    return index[0] * little[1] - index[1] * little[0] > 0


class Mano(nn.Module):
    """Stands in for the network that reads a hand.

    Args:
        colours: What the discs look like to it.
    """

    def __init__(self, colours: list[tuple[int, int, int]]) -> None:
        super().__init__()
        self.centroids = Centroids(colours)
        self.palm_m = PALM_M
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1))
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1))

    def forward(self, crop: Tensor) -> dict[str, Tensor]:
        assert crop.size(0) == 1, "one crop is expected"
        assert crop.size(1) == 3, "channels come first"
        assert crop.size(2) == 256, "crops have 256 pixels"
        assert crop.size(3) == 256, "crops have 256 pixels"
        rgb = (crop[0] * self.deviation + self.mean)[:, :, 32:224]
        marks = self.centroids(rgb) + torch.tensor([32.0 - 128.0, -128.0])
        marks = torch.where(is_right(marks), marks, marks[torch.tensor([0, 5, 4, 3, 2, 1])])
        along = marks[3] - marks[0]
        scale = along.norm().clamp(min=1.0) / (128 * self.palm_m)
        wrist = marks[0] / (128 * scale)
        steps = torch.arange(1, 5, dtype=torch.float32) / 4
        fingers = (marks[1:, None] - marks[0]) * steps[:, None] / (128 * scale)
        flat = torch.cat([torch.zeros(1, 2), fingers.reshape(20, 2)])
        joints = torch.cat([flat, torch.zeros(21, 1)], dim=1)
        angle = torch.atan2(along[0], -along[1])
        bends = torch.arange(1, 16, dtype=torch.float32) / 20
        return {
            "pred_cam": torch.stack([scale, wrist[0], wrist[1]])[None],
            "global_orient": self.turns(angle.reshape(1))[None],
            "hand_pose": self.turns(bends)[None],
            "betas": scale.reshape(1, 1).repeat(1, 10),
            "pred_keypoints_3d": joints[None],
            "pred_vertices": torch.zeros(1, 778, 3),
        }

    def turns(self, angle: Tensor) -> Tensor:
        zero, one = torch.zeros_like(angle), torch.ones_like(angle)
        cos, sin = angle.cos(), angle.sin()
        return torch.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], dim=1).reshape(-1, 3, 3)


class Boxes(nn.Module):
    """Stands in for the detector: one hand in each half of its input, its side told by the order of the fingers.

    Gives each hand twice, the second time shifted a little and less sure, which has to be suppressed.
    """

    def __init__(self, colours: list[tuple[int, int, int]]) -> None:
        super().__init__()
        self.centroids = Centroids(colours)

    def forward(self, picture: Tensor) -> Tensor:
        assert picture.size(2) == 640, "640 pixels are expected"
        assert picture.size(3) == 640, "640 pixels are expected"
        first, second = self.half(picture[0, :, :, :320], 0.0), self.half(picture[0, :, :, 320:], 320.0)
        again = torch.tensor([2.0, 1.0, 0.0, 0.0, -0.1, -0.1])
        return torch.stack([first + again, second + again, first, second], dim=1)[None]

    def half(self, rgb: Tensor, left: float) -> Tensor:
        lively = ((rgb.amax(dim=0) - rgb.amin(dim=0)) > 0.5).nonzero()
        if lively.size(0) < 50:
            return torch.zeros(6)
        low, high = lively.amin(dim=0).float(), (lively.amax(dim=0) + 1).float()
        right = is_right(self.centroids(rgb)).float()
        return torch.stack(
            [
                (low[1] + high[1]) / 2 + left,
                (low[0] + high[0]) / 2,
                high[1] - low[1],
                high[0] - low[0],
                0.9 * (1 - right),
                0.9 * right,
            ]
        )


class Nameless(nn.Module):
    """A network that answers with one tensor."""

    def forward(self, crop: Tensor) -> Tensor:
        return crop.mean(dim=(2, 3))


class Short(nn.Module):
    """A network of the right names that gives 16 joints."""

    def forward(self, crop: Tensor) -> dict[str, Tensor]:
        return {
            "pred_cam": torch.zeros(1, 3),
            "global_orient": torch.zeros(1, 1, 3, 3),
            "hand_pose": torch.zeros(1, 15, 3, 3),
            "betas": torch.zeros(1, 10),
            "pred_keypoints_3d": torch.zeros(1, 16, 3) + crop.mean(),
        }


def save(network: nn.Module, path: Path) -> str:
    torch.jit.script(network).save(str(path))
    return str(path)


class _InOrder(nn.Module):
    """The same network with its answers in a row, as ONNX needs them."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, crop: Tensor) -> tuple[Tensor, ...]:
        answer = self.network(crop)
        return tuple(answer[name] for name in ANSWERS)


def save_onnx(network: nn.Module, path: Path) -> str:
    torch.onnx.export(
        _InOrder(network),
        (torch.zeros(1, 3, 256, 256),),
        str(path),
        input_names=["crop"],
        output_names=ANSWERS,
        dynamo=False,
        opset_version=17,
    )
    return str(path)


def as_rgb() -> list[tuple[int, int, int]]:
    return list(COLOURS)


def as_bgr() -> list[tuple[int, int, int]]:
    return [colour[::-1] for colour in COLOURS]
