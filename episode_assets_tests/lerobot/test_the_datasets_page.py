"""The page about datasets: its tables are true, and a name of LeRobot leads to one of ours, or says why not."""

import importlib
import re
import shlex
from pathlib import Path

import click

from episode_assets.dataset_cli import dataset
from episode_assets.lerobot.policies import POLICIES
from episode_assets.lerobot.problems import CODES, WARNINGS

PAGE = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("## LeRobot's names")[2]
ROWS = re.findall(r"^\| `([^`]+)` \| (?:`([^`]+)`|-) \| (.*) \|$", TABLE, re.MULTILINE)

COMMANDS = """
lerobot-dataset-viz lerobot-info lerobot-annotate lerobot-record lerobot-replay
lerobot.scripts.convert_dataset_v21_to_v30 lerobot.scripts.augment_dataset_quantile_stats
"""
OPERATIONS = """
delete_episodes split merge remove_feature modify_tasks convert_image_to_video recompute_stats reencode_videos info
"""
NAMES = """
delete_episodes split_dataset merge_datasets modify_features add_features remove_feature modify_tasks
recompute_stats convert_image_to_video_dataset reencode_dataset BYTES_PER_KIB BYTES_PER_MIB aggregate_datasets
validate_all_metadata merge_video_feature_info_for_aggregate features_equal_for_merge aggregate_videos
aggregate_data aggregate_metadata update_data_df update_meta_data append_or_create_parquet_file
finalize_aggregation IndexState VideoIndex LeRobotDataset LeRobotDataset.create LeRobotDataset.resume
LeRobotDataset.add_frame LeRobotDataset.save_episode LeRobotDataset.clear_episode_buffer
LeRobotDataset.has_pending_frames LeRobotDataset.finalize LeRobotDataset.push_to_hub LeRobotDataset.fps
LeRobotDataset.num_frames LeRobotDataset.num_episodes LeRobotDataset.features LeRobotDataset.depth_output_unit
LeRobotDataset.hf_dataset LeRobotDataset.absolute_to_relative_idx LeRobotDataset.select_columns
LeRobotDataset.get_raw_item LeRobotDataset.set_image_transforms LeRobotDataset.clear_image_transforms
LeRobotDatasetMetadata DatasetInfo DatasetReader DatasetWriter MultiLeRobotDataset StreamingLeRobotDataset
Backtrackable LookBackError LookAheadError EpisodeAwareSampler compute_sampler_state make_dataset
make_train_eval_datasets resolve_delta_timestamps DEFAULT_QUANTILES RunningQuantileStats estimate_num_samples
sample_indices auto_downsample_height_width sample_images get_feature_stats compute_episode_stats
aggregate_feature_stats aggregate_stats compute_relative_action_stats CODEBASE_VERSION write_info load_info
write_stats load_stats cast_stats_to_numpy write_tasks load_tasks write_episodes load_episodes
write_table_one_row_group_per_episode to_parquet_one_row_group_per_episode to_parquet_with_hf_images
embed_images get_parquet_file_size_in_mb get_hf_dataset_size_in_mb get_parquet_num_frames get_file_size_in_mb
load_nested_dataset load_image_as_numpy UINT16_PIL_MODES pil_to_chw_tensor hf_transform_to_torch item_to_torch
CompatibilityError BackwardCompatibilityError ForwardCompatibilityError V30_MESSAGE FUTURE_MESSAGE
MISSING_VERSION_TAG_MESSAGE DEFAULT_CHUNK_SIZE DEFAULT_DATA_FILE_SIZE_IN_MB DEFAULT_VIDEO_FILE_SIZE_IN_MB
INFO_PATH STATS_PATH EPISODES_DIR DATA_DIR VIDEO_DIR CHUNK_FILE_PATTERN IMAGE_FILE_PATTERN DEPTH_FILE_PATTERN
DEFAULT_TASKS_PATH DEFAULT_EPISODES_PATH DEFAULT_DATA_PATH DEFAULT_VIDEO_PATH DEFAULT_IMAGE_PATH
DEFAULT_DEPTH_PATH LEGACY_EPISODES_PATH LEGACY_EPISODES_STATS_PATH LEGACY_TASKS_PATH
has_legacy_hub_download_metadata update_chunk_file_indices serialize_dict is_valid_version
check_version_compatibility get_repo_versions get_safe_version create_branch create_lerobot_dataset_card
is_float_in_list find_float_index safe_shard get_hf_features_from_features create_empty_dataset_info
check_delta_timestamps get_delta_indices validate_frame validate_features_presence
validate_feature_dtype_and_shape validate_feature_numpy_array validate_feature_image_or_video
validate_feature_string validate_feature_language validate_episode_buffer create_initial_features
aggregate_pipeline_dataset_features should_keep strip_prefix PREFIXES_TO_STRIP LANGUAGE_PERSISTENT
LANGUAGE_EVENTS LANGUAGE_COLUMNS PERSISTENT_ROW_FIELDS EVENT_ROW_FIELDS CORE_STYLES STYLE_REGISTRY
PERSISTENT_STYLES EVENT_ONLY_STYLES VIEW_DEPENDENT_STYLES column_for_style is_view_dependent_style
validate_camera_field is_language_column language_persistent_row_arrow_type language_event_row_arrow_type
language_persistent_arrow_type language_events_arrow_type language_persistent_row_feature
language_event_row_feature language_persistent_column_feature language_events_column_feature
language_feature_info
"""
"""Public names of LeRobot 0.6.1 in `lerobot.datasets`, those of video apart."""


def resolved(name: str) -> object:
    """Import the longest prefix that is a module and look the rest up; raises where there is nothing."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            thing: object = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            if part not in getattr(thing, "__dataclass_fields__", {}):
                thing = getattr(thing, part)
        return thing
    raise ModuleNotFoundError(name)


def test_every_name_of_lerobot_is_in_the_table():
    operations = {f"lerobot-edit-dataset {name}" for name in OPERATIONS.split()}

    assert {name for name, _, _ in ROWS} == operations | {*COMMANDS.split(), *NAMES.split()}
    assert len(ROWS) == len({name for name, _, _ in ROWS})


def test_our_names_exist_and_missing_ones_say_why():
    for theirs, ours, note in ROWS:
        if not ours:
            assert note, theirs
        elif ours.startswith("episode-assets dataset "):
            assert ours.split()[2] in dataset.commands, theirs
        else:
            assert resolved(ours) is not None, theirs


def test_all_codes_are_explained_in_the_words_of_the_program():
    found = dict(
        re.findall(r"^\| `(\w+)`(?: \(warning\))? \| (.*) \|$", PAGE.partition("## Info")[0], re.MULTILINE)
    )

    assert found == dict(CODES)
    assert set(re.findall(r"^\| `(\w+)` \(warning\)", PAGE, re.MULTILINE)) == WARNINGS


def test_the_policies_and_their_widths_are_those_of_the_program():
    found = dict(re.findall(r"^\| `(\w+)` \| (\d+|any) \| ", PAGE.partition("## Info")[2], re.MULTILINE))

    assert found == {policy.name: str(policy.width_max or "any") for policy in POLICIES}


def test_the_commands_on_the_page_can_be_typed():
    lines = re.findall(r"^episode-assets dataset (.*?)(?:#.*)?$", PAGE, re.MULTILINE)
    assert len(lines) == 6
    for line in lines:
        name, *arguments = shlex.split(line)
        command = dataset.commands[name]
        command.make_context(name, arguments, parent=click.Context(dataset))


def test_every_command_is_described_on_the_page():
    for name in dataset.commands:
        assert f"dataset {name}" in PAGE
