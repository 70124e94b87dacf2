"""One picture on its own that somebody hands in, such as a thumbnail: searched, blurred where needed, or refused."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from episode_assets.anonymization.boxes import Boxes
from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.anonymization.groups import make_group
from episode_assets.anonymization.means import Means
from episode_assets.anonymization.one_by_one import require_known_answer
from episode_assets.anonymization.redaction import redaction_rectangles
from episode_assets.anonymization.turning import all_right_angles
from episode_assets.errors import AuditFailed
from episode_assets.video import Picture


class Audited(NamedTuple):
    """A picture that passed its audit.

    Attributes:
        picture: What was searched, encoded and decoded again.
        faces: How many boxes were blurred in it.
    """

    picture: Picture
    faces: int


def audited_picture(picture: Picture, config: FaceBlurConfig) -> Audited:
    """Return a picture in which a search finds nothing outside of what was blurred, however unsure.

    It is searched at all right angles, since nothing tells how it stands: by the detector first, as pictures of a
    recording are, and then by the audit. Who hands in one picture can choose another, so unlike in a video nothing is
    let through after the last round.

    Raises:
        ModelMissing: A weight file or package is not there.
        AuditFailed: A face stays, or the detector does not find the face of the known-answer test.
    """
    size, turns = (picture.true_width, picture.true_height), all_right_angles()
    means = Means(config, size, turns)
    search = means.search("detection", means.detector(config.detector), config.min_face_px)
    auditor = means.auditor(means.detector(config.audit_detector))
    require_known_answer(means)
    faces = search.labelled(picture.copy(), turns).boxes
    for _ in range(config.audit_rounds + 1):
        made = make_group(
            [picture.copy], [_around(faces, size, config)], [()], [0], [turns], config=config, auditor=auditor
        )
        (found,) = made.audit.outside
        (kept,) = made.audit.kept_detail
        if not len(found) and not (kept > config.audit_max_detail).any():
            return Audited(next(made.segment.decode()).copy(), len(faces))
        faces = np.concatenate([faces, found])
    raise AuditFailed(
        f"a picture of {size[0]}x{size[1]} that was handed in shows a face that cannot be blurred away",
        remedy="hand in another picture, or none: the thumbnail is then chosen from the blurred video",
    )


def _around(faces: Boxes, size: tuple[int, int], config: FaceBlurConfig) -> np.ndarray:
    return redaction_rectangles(faces[:, :4], scale=config.box_scale, width=size[0], height=size[1])
