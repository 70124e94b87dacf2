"""Stands in for the package batch-face: the call signature of its version 1.5, around a TorchScript file."""

from __future__ import annotations

import numpy as np
import torch  # noqa: TID253  # as the true package does


class RetinaFace:
    def __init__(
        self, gpu_id=-1, model_path=None, network="mobilenet", device="cuda", return_dict=False, fp16=False
    ):
        assert gpu_id == -1, "the true package would go to the GPU"
        assert model_path is not None, "the true package would download weights"
        if network != "mobilenet":
            raise RuntimeError("Error(s) in loading state_dict for RetinaFace")
        self.model = torch.jit.load(model_path)

    def detect(self, images, chunk_size=None, batch_size=None, *, threshold=0.5, cv=False):
        assert isinstance(images, list)
        assert len({image.shape for image in images}) == 1
        return [self._detect(image[:, :, ::-1] if cv else image, threshold) for image in images]

    def _detect(self, rgb, threshold):
        assert rgb.dtype == np.uint8
        boxes, scores = self.model(torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1))))
        landmarks = np.zeros((5, 2), np.float32)
        pairs = zip(boxes.numpy(), scores.numpy(), strict=True)
        return [(box, landmarks, score) for box, score in pairs if score > threshold]
