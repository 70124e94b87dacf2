"""Which detectors can be chosen, which choices are refused, and what is missing before anything is decoded."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from episode_assets import models
from episode_assets.anonymization import BACKENDS, FaceBlurConfig, require_detectors
from episode_assets.anonymization.backends import make_detector, unhashed_of
from episode_assets.anonymization.blazeface import BlazeFaceOptions
from episode_assets.anonymization.egoblur import EgoBlurOptions
from episode_assets.anonymization.retinaface import RetinaFaceOptions
from episode_assets.errors import BadConfig, ModelMissing
from episode_assets.pipeline.settings import build_config
from episode_assets.storage.canonical import plain_config
from episode_assets_tests.anonymization.stand_ins import BLIND, DECLARED, DECLARED_USE

BOTH = {"detector": "centerface+egoblur", "audit_detector": "centerface+egoblur"}


def config(**values: Any) -> FaceBlurConfig:
    return build_config(FaceBlurConfig, values, where="settings:blurred_rgb")


def require(chosen: FaceBlurConfig) -> None:
    require_detectors(chosen, chosen.detector, chosen.audit_detector)


def test_help_and_errors_name_every_backend() -> None:
    text = next(item for item in fields(FaceBlurConfig) if item.name == "detector").metadata["help"]

    with pytest.raises(BadConfig) as caught:
        config(detector="centreface")

    assert set(BACKENDS) == {"centerface", "blazeface", "retinaface", "egoblur"}
    for name in BACKENDS:
        assert name in text
        assert name in str(caught.value)


def test_every_setting_of_a_backend_has_a_help_text() -> None:
    for options in (BlazeFaceOptions, RetinaFaceOptions, EgoBlurOptions):
        assert all(item.metadata.get("help") for item in fields(options))


@pytest.mark.parametrize("name", ["retina", ":", "", "centerface+", "+", "module:", ":factory", 5])
def test_a_name_that_stands_for_nothing_is_refused_at_once(name: Any) -> None:
    with pytest.raises(BadConfig, match=r"there is no face detector.*centerface"):
        config(detector=name)


@pytest.mark.parametrize("path", ["no.such.module:make", "json:make"])
def test_an_import_path_that_leads_nowhere_is_refused_before_any_decoding(path: str) -> None:
    chosen = config(detector=path)

    with pytest.raises(BadConfig, match="centerface"):
        require(chosen)


def test_an_import_path_can_join_a_union() -> None:
    chosen = config(detector=f"centerface+{BLIND}")

    assert [use.name for use in chosen.models()] == ["centerface"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"detector": "centerface+centerface"}, "twice"),
        ({"blazeface": {"range": "long"}}, r"blazeface\.range must be short or full, got 'long'"),
        ({"blazeface": {"rnage": "full"}}, "did you mean 'range'"),
        ({"blazeface": {"range": "short"}}, "blazeface has settings, and no detector uses it"),
        ({"detector": "blazeface", "blazeface": {"certain_score": 1.0}}, r"must be 0\.05\.\.0\.99"),
        ({"detector": "blazeface", "blazeface": {"certain_score": False}}, r"must be 0\.05\.\.0\.99"),
        ({"blazeface": "full"}, "blazeface must be a section"),
        ({"detector": "retinaface"}, r"retinaface has no weights.*retinaface\.weights"),
        ({"audit_detector": "retinaface"}, r"retinaface has no weights.*retinaface\.weights"),
        (
            {"detector": "retinaface", "retinaface": {"weights": "x", "network": "vgg"}},
            "mobilenet or resnet50, got 'vgg'",
        ),
        ({"detector": "retinaface", "retinaface": {"weights": 5}}, "must be the path of a file, got 5"),
        ({"detector": "egoblur"}, r"egoblur has no files.*egoblur\.faces"),
        ({"detector": "egoblur", "egoblur": {"faces": "x", "generation": "gen3"}}, "gen1 or gen2"),
        ({"detector": "egoblur", "egoblur": {"faces": "x", "certain_face_score": 2}}, "certain_face_score"),
        ({"egoblur": {"faces": "x"}}, "egoblur has settings, and no detector uses it"),
        ({"detector": "egoblur", "egoblur": {"plates": "x"}}, "detector finds no faces"),
        (
            {"detector": "centerface+egoblur", "egoblur": {"plates": "x"}},
            "finds plates, which centerface would not look for again",
        ),
    ],
)
def test_options_that_do_not_fit_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(BadConfig, match=message):
        config(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"detector": "retinaface", "retinaface": {"weights": "/no/where.pth"}},
            r"weight file of retinaface\.weights is not there.*/no/where\.pth",
        ),
        (
            {"detector": "egoblur", "egoblur": {"faces": "/no/faces.jit"}},
            r"weight file of egoblur\.faces is not there.*set egoblur\.faces",
        ),
        ({**BOTH, "egoblur": {"plates": "/no/plates.jit"}}, r"egoblur\.plates is not there"),
    ],
)
def test_a_missing_file_is_named_with_its_setting(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelMissing, match=message):
        require(config(**values))


@pytest.mark.parametrize(
    ("values", "weight"),
    [
        ({"detector": "blazeface"}, "face_detection_full_range_sparse"),
        ({"audit_detector": "blazeface", "blazeface": {"range": "short"}}, "face_detection_short_range"),
    ],
)
def test_missing_registered_weights_name_the_command(
    values: dict[str, Any], weight: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        (tmp_path / "centerface.onnx").write_bytes(models.find("centerface").read_bytes())
    except ModelMissing as missing:
        pytest.skip(str(missing))
    monkeypatch.setenv("EPISODE_ASSETS_MODELS", str(tmp_path))
    monkeypatch.setenv("EPISODE_ASSETS_CACHE", str(tmp_path))

    with pytest.raises(ModelMissing, match=f"{weight}.*models fetch"):
        require(config(**values))


@pytest.mark.parametrize(
    ("values", "package", "remedy"),
    [
        ({"detector": "retinaface", "retinaface": {"weights": "FILE"}}, "batch_face", "--no-deps batch-face"),
        ({"detector": "retinaface", "retinaface": {"weights": "FILE"}}, "torch", "pip install torch"),
        ({"detector": "egoblur", "egoblur": {"faces": "FILE"}}, "torch", "pip install torch"),
        ({"audit_detector": "blazeface"}, "ai_edge_litert", "pip install ai-edge-litert"),
        ({}, "openvino", "pip install openvino"),
        ({"centerface": {"precision": "float32"}}, "onnxruntime", "pip install onnxruntime"),
    ],
)
@pytest.mark.usefixtures("weights")
def test_a_missing_package_names_the_command_that_installs_it(
    values: dict[str, Any], package: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"weights")
    filled = {
        name: {key: str(file) if text == "FILE" else text for key, text in value.items()}
        if isinstance(value, dict)
        else value
        for name, value in values.items()
    }
    for name in ("torch", "batch_face"):
        there = ModuleType(name)
        there.__spec__ = ModuleSpec(name, None)
        monkeypatch.setitem(sys.modules, name, there)
    monkeypatch.setitem(sys.modules, package, None)  # Python's own sign for a module that is not there

    with pytest.raises(ModelMissing, match=f"package {package} is not installed.*{remedy}"):
        require(config(**filled))


def test_loading_says_the_same_as_looking(tmp_path: Path) -> None:
    chosen = config(detector="egoblur", audit_detector="egoblur", egoblur={"faces": str(tmp_path / "no.jit")})

    for attempt in (lambda: require(chosen), lambda: make_detector("egoblur", chosen, score_threshold=0.1)):
        with pytest.raises(ModelMissing, match=r"egoblur\.faces is not there"):
            attempt()


def test_a_file_given_by_path_counts_by_its_bytes_and_not_by_its_place(tmp_path: Path) -> None:
    for name, content in (("a.jit", b"one"), ("b.jit", b"one"), ("c.jit", b"other")):
        (tmp_path / name).write_bytes(content)
    a, b, c, gone = (
        config(**BOTH, egoblur={"faces": str(tmp_path / f"{name}.jit")}) for name in ("a", "b", "c", "gone")
    )

    assert plain_config(a) == plain_config(b)
    assert str(tmp_path) not in str(plain_config(a))
    assert a.models() == b.models() != c.models()
    assert {use.name for use in a.models()} == {"centerface", "egoblur_face_gen2"}
    assert gone.models()[1].sha256 == models.ABSENT


def test_a_file_that_is_replaced_counts_anew(tmp_path: Path) -> None:
    file = tmp_path / "a.jit"
    file.write_bytes(b"one")
    chosen = config(**BOTH, egoblur={"faces": str(file)})
    before = chosen.models()

    file.write_bytes(b"another")

    assert chosen.models() != before


def test_settings_of_a_backend_are_part_of_the_configuration() -> None:
    base = config(detector="blazeface")

    assert plain_config(base) != plain_config(replace(base, blazeface=BlazeFaceOptions("short")))
    assert plain_config(base)["blazeface"] == {"range": "full", "certain_score": 0.0}


def test_choosing_detectors_imports_no_runtime() -> None:
    code = (
        "import sys; from episode_assets.anonymization import FaceBlurConfig;"
        "FaceBlurConfig(detector='centerface+blazeface');"
        "assert not {'torch', 'batch_face', 'onnx', 'onnxruntime', 'openvino', 'ai_edge_litert'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_weights_that_a_factory_names_count_for_the_fingerprint_and_others_are_told() -> None:
    named, unnamed = config(detector=DECLARED), config(detector=BLIND)

    assert DECLARED_USE in named.models()
    assert unhashed_of(named, named.detector, named.audit_detector) == ()
    assert unhashed_of(unnamed, unnamed.detector, unnamed.audit_detector) == (BLIND,)
