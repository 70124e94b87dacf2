"""TorchScript files that stand in for published models: called like those, and answering from the pixels alone.

`Rectangles` finds rectangles of one colour, `Match` finds one particular face by correlation with its picture. Swapped
channels, a mirrored, cropped or wrongly scaled picture lead either of them elsewhere or to nothing.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch  # noqa: TID253  # only tests that have it import this module
from skimage.data import astronaut  # noqa: TID253  # the face of these tests
from torch import Tensor, nn  # noqa: TID253
from torch.nn.functional import avg_pool2d, conv2d  # noqa: TID253

FACE = (177, 63, 269, 183)
POOL = 4


class Rectangles(nn.Module):
    """Finds the bounding box of all pixels near one colour.

    It reports that box at 0.95, nearly the same one at 0.9, which has to be suppressed, and one in the corner at 0.05,
    which is below every threshold.

    Args:
        colour: The three values in the channel order that the model is trained for.
    """

    def __init__(self, colour: tuple[int, int, int]) -> None:
        super().__init__()
        self.register_buffer("colour", torch.tensor(colour, dtype=torch.float32).reshape(3, 1, 1))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        assert image.dtype == torch.uint8, "bytes are expected"
        assert image.dim() == 3, "one picture is expected"
        assert image.size(0) == 3, "channels come first"
        near = ((image.float() - self.colour).abs().amax(dim=0) < 60).nonzero()
        if near.size(0) == 0:
            return torch.zeros((0, 4)), torch.zeros((0,))
        low, high = near.amin(dim=0), near.amax(dim=0) + 1
        box = torch.stack([low[1], low[0], high[1], high[0]]).float()
        shift = (box[3] - box[1]) * 0.1
        corner = torch.tensor([0.0, 0.0, 10.0, 10.0])
        return torch.stack([box + shift, box, corner]), torch.tensor([0.9, 0.95, 0.05])


class Match(nn.Module):
    """Finds the astronaut's face, upright, at three heights, by correlation over all channels at once.

    The correlation is above 0.9 on the face, below 0.65 where channels are swapped or the picture is mirrored.

    Args:
        heights: Heights of the face in pixels of the input.
        is_bgr: The channel order that the model is trained for.
    """

    def __init__(self, heights: tuple[float, float, float], *, is_bgr: bool) -> None:
        super().__init__()
        x0, y0, x1, y1 = FACE
        face = astronaut()[y0:y1, x0:x1].astype(np.float32)
        face = face[:, :, ::-1] if is_bgr else face
        for name, height in zip("abc", heights, strict=True):
            rows, columns = round(height / POOL), round(height / POOL * (x1 - x0) / (y1 - y0))
            small = cv2.resize(face, (columns, rows), interpolation=cv2.INTER_AREA)
            small = small - small.mean()
            small /= np.sqrt((small**2).sum())
            self.register_buffer(name, torch.from_numpy(small.transpose(2, 0, 1)[None].copy()))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        pooled = avg_pool2d(image.float()[None], 4)
        found = [self.best(pooled, self.a), self.best(pooled, self.b), self.best(pooled, self.c)]
        answer = torch.stack(found)
        return answer[:, :4], answer[:, 4]

    def best(self, pooled: Tensor, face: Tensor) -> Tensor:
        rows, columns = face.size(2), face.size(3)
        if pooled.size(2) < rows or pooled.size(3) < columns:
            return torch.zeros(5)
        ones = torch.ones_like(face)
        total, squares = conv2d(pooled, ones), conv2d(pooled * pooled, ones)
        spread = (squares - total * total / face.numel()).clamp(min=1.0).sqrt()
        likeness = (conv2d(pooled, face) / spread)[0, 0]
        place = int(likeness.argmax())
        y, x = place // likeness.size(1) * 4, place % likeness.size(1) * 4
        score = ((likeness.max() - 0.65) / 0.25).clamp(0, 1)
        return torch.stack(
            [torch.tensor(float(value)) for value in (x, y, x + columns * 4, y + rows * 4)] + [score]
        )


class Suppressing(nn.Module):
    """Orders boxes by torchvision's operator, as detection models do; it must be registered to be made or loaded."""

    def __init__(self, core: nn.Module) -> None:
        super().__init__()
        self.core = core

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        boxes, scores = self.core(image)
        kept = torch.ops.torchvision.nms(boxes, scores, 0.5)
        return boxes[kept], scores[kept]


class FourOutputs(nn.Module):
    """Called like EgoBlur of generation 1, and like a traced one of generation 2: boxes, labels, scores, size."""

    def __init__(self, core: nn.Module) -> None:
        super().__init__()
        self.core = core

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        boxes, scores = self.core(image)
        return boxes, torch.zeros(boxes.size(0)), scores, torch.tensor([image.size(1), image.size(2)])


class FiveOutputs(FourOutputs):
    """Called like the other kind of traced file of generation 2: boxes, labels, something, scores, size."""

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        boxes, scores = self.core(image)
        none = torch.zeros(boxes.size(0))
        return boxes, none, none, scores, torch.tensor([image.size(1), image.size(2)])


@torch.jit.script
class Boxes:
    def __init__(self, tensor: Tensor):
        self.tensor = tensor


@torch.jit.script
class Instances:
    def __init__(self, image_size: tuple[int, int], boxes: Boxes, scores: Tensor):
        self.image_size = image_size
        self._pred_boxes = boxes
        self._scores = scores


class Scripted(FourOutputs):
    """Called like a scripted EgoBlur of generation 2: a method that takes dictionaries and returns objects."""

    @torch.jit.export
    def inference(self, pictures: list[dict[str, Tensor]], do_postprocess: bool = True) -> list[Instances]:
        assert not do_postprocess, "boxes would be scaled to a size that is not given"
        answers: list[Instances] = []
        for picture in pictures:
            image = picture["image"]
            boxes, scores = self.core(image)
            answers.append(Instances((image.size(1), image.size(2)), Boxes(boxes), scores))
        return answers


def save(model: nn.Module, path: Path) -> Path:
    """Write a model as a TorchScript file."""
    torch.jit.script(model.eval()).save(str(path))
    return path
