"""The steps of the graph, from the recording to what it contributes to a dataset.

Add an asset here: name it, say what it takes, and adapt its library function. A function here only hands inputs
over; whatever decides, computes or formats belongs to the room that the function comes from. Rooms are imported
inside the adapters, so that loading the graph costs no model runtime.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.bundle.config import BundleConfig
from episode_assets.hands.config import HandPoseConfig
from episode_assets.lerobot.recipe import Recipe
from episode_assets.outcome import ModelUse, Outcome
from episode_assets.pipeline.reading import note_read, noting_unreadable
from episode_assets.pipeline.step import Step, StepInputs
from episode_assets.qc.config import QualityConfig
from episode_assets.recording.config import RecordingConfig
from episode_assets.scene.config import SceneMeshConfig
from episode_assets.storage import HANDS_SUFFIX, TASKS_SUFFIX


def _scan(inputs: StepInputs, directory: Path, config: RecordingConfig) -> Outcome:
    from episode_assets.recording import scan_recording

    return scan_recording(
        inputs.source,
        directory,
        recording_id=inputs.recording.recording_id,
        config=config,
        progress=inputs.progress,
    )


def _blur(inputs: StepInputs, directory: Path, config: FaceBlurConfig) -> Outcome:
    from episode_assets.anonymization import blur_recording, read_redactions

    said = [read_redactions(text.content, where=text.where) for text in inputs.redactions]
    return blur_recording(
        inputs.view,
        directory,
        config=config,
        redactions=[area for document in said for area in document.areas],
        exceptions=[item for document in said for item in document.exceptions],
        workers=inputs.workers,
        progress=inputs.progress,
    )


def _hands(inputs: StepInputs, directory: Path, config: HandPoseConfig) -> Outcome:
    from episode_assets.hands import HandsFile, estimate_hands

    beside = inputs.beside
    return estimate_hands(
        inputs.view,
        directory,
        config=config,
        beside=None if beside is None else HandsFile(beside.where, beside.read()),
        workers=inputs.workers,
        progress=inputs.progress,
    )


def _mesh(inputs: StepInputs, directory: Path, config: SceneMeshConfig) -> Outcome:
    from episode_assets.scene import build_scene_mesh

    return build_scene_mesh(
        inputs.view,
        inputs.directory("blurred_rgb"),
        directory,
        config=config,
        privacy=inputs.privacy("blurred_rgb"),
        workers=inputs.workers,
        progress=inputs.progress,
    )


def _bundle(inputs: StepInputs, directory: Path, config: BundleConfig) -> Outcome:
    from episode_assets.bundle import write_bundle

    return write_bundle(
        inputs.view,
        inputs.directory("blurred_rgb"),
        inputs.directory("hand_poses"),
        directory,
        mesh=inputs.directory("scene_mesh"),
        config=config,
        privacy=inputs.privacy("blurred_rgb"),
        task=inputs.recording.task,
        progress=inputs.progress,
    )


def _check(inputs: StepInputs, directory: Path, config: QualityConfig) -> Outcome:
    from episode_assets.bundle import EpisodeBundle
    from episode_assets.qc import check_quality

    with EpisodeBundle.open(inputs.directory("episode_bundle")) as bundle:
        return check_quality(
            bundle,
            inputs.directory("blurred_rgb"),
            inputs.directory("hand_poses"),
            inputs.view,
            directory,
            config=config,
            privacy=inputs.privacy("blurred_rgb"),
            earlier=None if inputs.earlier is None else inputs.earlier.directory(),
            progress=inputs.progress,
        )


def _fragment(inputs: StepInputs, directory: Path, config: Recipe) -> Outcome:
    from episode_assets.bundle import EpisodeBundle
    from episode_assets.lerobot import TaskInputs, write_fragment

    beside = inputs.beside
    said = TaskInputs(
        sidecar=None if beside is None else beside.read(),
        sidecar_where="*" + TASKS_SUFFIX if beside is None else beside.where,
        annotations=inputs.view.annotations if config.segments.source == "annotations" else None,
    )
    with EpisodeBundle.open(inputs.directory("episode_bundle")) as bundle:
        return write_fragment(
            bundle,
            inputs.directory("hand_poses"),
            inputs.directory("qc_report"),
            inputs.directory("blurred_rgb"),
            directory,
            recipe=config,
            bundle_digest=inputs.artifacts["episode_bundle"].content_digest,
            recording_id=inputs.recording.recording_id,
            task=inputs.recording.task,
            tasks_beside=said,
            privacy=inputs.privacy("blurred_rgb"),
            progress=inputs.progress,
        )


def _face_weights(config: FaceBlurConfig) -> tuple[ModelUse, ...]:
    return config.models()


def _hand_weights(config: HandPoseConfig) -> tuple[ModelUse, ...]:
    return config.models()


def _hands_beside(config: HandPoseConfig) -> str | None:
    return HANDS_SUFFIX if config.takes_file_beside else None


def _tasks_beside(config: Recipe) -> str | None:
    return TASKS_SUFFIX if config.segments.source in ("auto", "sidecar") else None


def _no_weights(_config: object) -> tuple[ModelUse, ...]:
    return ()


RAW_MCAP = Step(
    "raw_mcap",
    "4",
    (),
    RecordingConfig,
    _no_weights,
    _scan,
    watch=noting_unreadable,
    note=note_read,
)
BLURRED_RGB = Step(
    "blurred_rgb",
    "7",
    ("raw_mcap",),
    FaceBlurConfig,
    _face_weights,
    _blur,
    takes_redactions=True,
)
HAND_POSES = Step(
    "hand_poses",
    "3",
    ("raw_mcap",),
    HandPoseConfig,
    _hand_weights,
    _hands,
    takes_beside=_hands_beside,
)
SCENE_MESH = Step(
    "scene_mesh",
    "1",
    ("raw_mcap", "blurred_rgb"),
    SceneMeshConfig,
    _no_weights,
    _mesh,
)
EPISODE_BUNDLE = Step(
    "episode_bundle",
    "5",
    ("raw_mcap", "blurred_rgb", "hand_poses", "scene_mesh"),
    BundleConfig,
    _no_weights,
    _bundle,
    takes_task=True,
)
QC_REPORT = Step(
    "qc_report",
    "6",
    ("raw_mcap", "blurred_rgb", "hand_poses", "episode_bundle"),
    QualityConfig,
    _no_weights,
    _check,
    takes_earlier=True,
)

STEPS: tuple[Step[Any], ...] = (RAW_MCAP, BLURRED_RGB, HAND_POSES, SCENE_MESH, EPISODE_BUNDLE, QC_REPORT)
"""The steps that every recording goes through, in an order in which each finds its inputs."""


def fragment_step(recipe_name: str) -> Step[Recipe]:
    """Return the step that makes one recording's contribution to the datasets of a recipe."""
    return Step(
        f"lerobot_episode/{recipe_name}",
        "6",
        ("raw_mcap", "episode_bundle", "hand_poses", "qc_report", "blurred_rgb"),
        Recipe,
        _no_weights,
        _fragment,
        takes_task=True,
        takes_beside=_tasks_beside,
        relevant=Recipe.for_rows,
    )
