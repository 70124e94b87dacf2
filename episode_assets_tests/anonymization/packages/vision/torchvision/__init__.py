"""Stands in for torchvision: importing it registers the operator that saved detection models refer to."""

from __future__ import annotations

import torch  # noqa: TID253  # as the true package does

torch.library.define("torchvision::nms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


@torch.library.impl("torchvision::nms", "CPU")
def nms(dets, scores, iou_threshold):
    return torch.argsort(scores, descending=True)
