"""Profiles: whole sets of settings by one name, from the settings file, the environment or the call."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from episode_assets.anonymization import FaceBlurConfig
from episode_assets.anonymization import profiles as face_profiles
from episode_assets.cli import main
from episode_assets.errors import BadConfig
from episode_assets.hands import HandPoseConfig
from episode_assets.hands import profiles as hand_profiles
from episode_assets.pipeline.profiles import PROFILE_NAMES
from episode_assets.pipeline.settings import PROFILE_VARIABLE, build_config, load_settings
from episode_assets_tests.conftest import Demo, Workplace

ROOMS = {
    "blurred_rgb": (FaceBlurConfig, face_profiles.PROFILES),
    "hand_poses": (HandPoseConfig, hand_profiles.PROFILES),
}


def file_with(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    return path


@pytest.fixture(autouse=True)
def no_profile_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PROFILE_VARIABLE, raising=False)


@pytest.mark.parametrize("asset", ROOMS)
def test_every_room_knows_every_profile(asset: str) -> None:
    _, table = ROOMS[asset]

    assert tuple(table) == PROFILE_NAMES == ("fast", "default", "thorough")


@pytest.mark.parametrize("name", PROFILE_NAMES)
@pytest.mark.parametrize("asset", ROOMS)
def test_a_profile_builds_and_every_field_that_it_names_is_changed(asset: str, name: str) -> None:
    config_type, table = ROOMS[asset]

    built = load_settings(profile=name).config(asset)

    assert built == build_config(config_type, table[name], where=name)
    for field in table[name]:
        assert getattr(built, field) != getattr(config_type(), field), field


def test_the_default_profile_is_the_defaults() -> None:
    assert load_settings(profile="default") == load_settings()


def test_a_file_chooses_a_profile_and_its_sections_count_over_it(tmp_path: Path) -> None:
    path = file_with(tmp_path, "profile: thorough\nblurred_rgb: {box_scale: 1.25, cells: 2}\n")

    config, chosen = load_settings(path).config("blurred_rgb"), load_settings(profile="thorough")

    assert (config.box_scale, config.cells) == (1.25, 2)
    assert config.far_stride == chosen.config("blurred_rgb").far_stride
    assert load_settings(path).config("hand_poses") == chosen.config("hand_poses")


def test_a_section_within_a_section_keeps_what_the_profile_sets_in_it(tmp_path: Path) -> None:
    path = file_with(tmp_path, "profile: thorough\nblurred_rgb: {centerface: {}}\n")

    assert load_settings(path).config("blurred_rgb").centerface.precision == "float32"
    path.write_text("profile: thorough\nblurred_rgb: {centerface: {precision: int8}}\n")
    assert load_settings(path).config("blurred_rgb").centerface.precision == "int8"


def test_the_call_counts_over_the_environment_and_the_environment_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file_with(tmp_path, "profile: thorough\n")

    monkeypatch.setenv(PROFILE_VARIABLE, "")
    assert load_settings(path) == load_settings(profile="thorough")
    monkeypatch.setenv(PROFILE_VARIABLE, "fast")
    assert load_settings(path) == load_settings(profile="fast")
    assert load_settings(path, profile="default").config("blurred_rgb") == FaceBlurConfig()


@pytest.mark.parametrize("written", ["quick", "[fast]", "3", "FAST"])
def test_an_unknown_profile_of_the_file_is_named_with_those_there_are(tmp_path: Path, written: str) -> None:
    path = file_with(tmp_path, f"profile: {written}\n")

    with pytest.raises(BadConfig, match="fast, default, thorough") as raised:
        load_settings(path, profile="fast")

    assert "settings.yaml" in str(raised.value)


def test_an_unknown_profile_of_the_environment_or_the_call_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadConfig, match=r"'quick'.*--profile"):
        load_settings(profile="quick")
    monkeypatch.setenv(PROFILE_VARIABLE, "slow")
    with pytest.raises(BadConfig, match=rf"'slow'.*{PROFILE_VARIABLE}"):
        load_settings()


def test_an_empty_choice_is_the_defaults(tmp_path: Path) -> None:
    assert load_settings(file_with(tmp_path, "profile:\n")) == load_settings()


def test_the_fast_profile_still_finds_and_audits_faces_of_32_pixels() -> None:
    config = load_settings(profile="fast").config("blurred_rgb")

    assert config.min_face_px <= 32
    assert config.min_face_px / config.audit_scale <= 32
    assert config.detector_stride == 1


def test_the_command_line_refuses_an_unknown_profile_before_anything_is_registered(
    workplace: Workplace, small_demo: Demo
) -> None:
    result = CliRunner().invoke(main, ["run", str(small_demo.path), "--profile", "quick"])

    assert result.exit_code == 2
    assert "fast, default, thorough" in result.stderr
    assert not workplace.store.recordings.list()
