from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pyarrow.parquet as pq
import pytest

from episode_assets.errors import ArtifactDamaged, BadConfig, UnauditedArtifact
from episode_assets.qc import QualityConfig
from episode_assets.qc.document import document, dumps
from episode_assets.qc.marks import shown_findings
from episode_assets.qc.metrics import metric_blocks, nearest_distance_ms
from episode_assets.qc.page import render
from episode_assets.qc.pictures import Pictures, SheetPicture, middle_of
from episode_assets.qc.privacy import privacy_block
from episode_assets.qc.quality import judge
from episode_assets.qc.scoring import stera_score
from episode_assets.qc.series import pieces, stretches, thinned
from episode_assets_tests.qc.episodes import PASSED, judged, make_episode, repeated

SECTIONS = (
    "summary",
    "timeline",
    "findings",
    "pictures",
    "video",
    "trajectory",
    "imu",
    "depth",
    "hands",
    "sync",
    "map",
    "checks",
    "privacy",
    "reference",
)


class Page(HTMLParser):
    """Collects ids and links and whether every element that opens closes."""

    VOID = frozenset({"meta", "img"})

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.open, self.sources = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values["href"]] if "href" in values else []
        self.sources += [values["src"]] if "src" in values else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="session")
def reported(clean, tmp_path_factory):
    directory = tmp_path_factory.mktemp("report")
    outcome = clean.report(directory)
    return directory, outcome


def load(directory):
    text = (directory / "qc.json").read_text(encoding="utf-8")
    return json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not strict JSON"))


def test_both_files_are_core_and_within_their_limits(reported):
    directory, outcome = reported

    assert set(outcome.core) == {"qc.json", "report.html"}
    assert {*outcome.core, *outcome.view} == {path.name for path in directory.iterdir()}
    assert outcome.view == ("depth_figures.parquet",)
    assert (directory / "qc.json").stat().st_size < 300_000
    assert (directory / "report.html").stat().st_size < 2_500_000
    assert outcome.privacy["audit"] == "passed"
    assert outcome.summary["verdict"] == load(directory)["verdict"] == "pass"


def test_equal_inputs_give_equal_bytes(clean, reported, tmp_path):
    directory, _ = reported
    clean.report(tmp_path / "again")

    for name in ("qc.json", "report.html"):
        assert (tmp_path / "again" / name).read_bytes() == (directory / name).read_bytes()


def test_intervals_name_frames_messages_and_stamps_with_both_ends_included(interrupted, tmp_path):
    interrupted.report(tmp_path)
    e, found = interrupted.evidence(), load(tmp_path)["intervals"]

    assert len(found) == 2
    assert found[0]["frame_start"] == 0
    assert found[1]["frame_start"] == found[0]["frame_end"] + 1
    assert found[1]["frame_end"] == len(e) - 1
    for item in found:
        for end in ("start", "end"):
            frame = item[f"frame_{end}"]
            assert item[f"message_{end}"] == e.message_number[frame]
            assert item[f"{end}_ns"] == e.stamps_ns[frame]
    assert (found[0]["reason_after"], found[1]["reason_before"]) == ("rgb_gap", "rgb_gap")
    assert sum(item["share"] for item in found) == pytest.approx(1)


def test_a_lost_interval_is_named_with_its_cause_and_the_rest_is_kept(interrupted, tmp_path):
    outcome = interrupted.report(tmp_path)
    content = load(tmp_path)
    checks = {check["id"]: check for check in content["checks"]}

    assert checks["tracking_lost"]["value"] == pytest.approx(1.5, abs=0.05)
    assert "tracking was lost" in checks["rgb_gap"]["detail"]
    assert content["verdict"] == "review"
    assert outcome.summary["kept_s"] > 6
    assert [reason["id"] for reason in content["reasons"]] == ["rgb_gap"]


def test_the_metrics_have_the_reference_names_and_no_file_name(reported):
    content = load(reported[0])
    metrics = content["metrics"]

    assert metrics["recording"]["path"] is metrics["recording"]["filename"] is None
    assert metrics["rgb"]["frame_count"] == 120
    assert metrics["rgb"]["span_fps"] == pytest.approx(15, abs=0.01)
    assert metrics["depth"]["valid_pct_mean"] > 80
    assert metrics["sync"]["rgb_vs_depth"]["within_50ms_pct"] == 100
    assert metrics["hands"]["frames_with_any_hand_pct"] > 50
    assert metrics["imu"]["gravity_mode"] == "removed"
    assert metrics["trajectory"]["path_length_m"] > 0
    assert "demo.mcap" not in (reported[0] / "qc.json").read_text()
    assert "demo.mcap" not in (reported[0] / "report.html").read_text()


def test_no_date_is_given_for_an_uptime_clock(reported):
    recording = load(reported[0])["metrics"]["recording"]

    assert recording["clock"] == "uptime"
    assert (recording["start_iso"], recording["end_iso"], recording["weekday"]) == ("", "", "")


def test_the_page_is_whole_and_asks_for_nothing_outside(reported):
    text = (reported[0] / "report.html").read_text(encoding="utf-8")
    page = Page(text)

    assert page.open == []
    assert set(SECTIONS) <= set(page.ids)
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert not re.search(r"https?://|@import|url\(", text)
    assert text.count("<script") == 1


def test_a_finding_has_a_picture_and_is_linked_from_the_charts_of_its_stream(interrupted, tmp_path):
    interrupted.report(tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    content = load(tmp_path)

    number = [item["kind"] for item in content["findings"]].index("rgb_gap")
    row = re.search(rf'<tr id="finding-{number}".*?</tr>', text, re.DOTALL)[0]
    assert "rgb gap" in row
    assert "data:image/jpeg;base64," in row
    assert 'href="#video"' in row
    for section in ("timeline", "video"):
        inside = re.search(rf'<section id="{section}".*?</section>', text, re.DOTALL)[0]
        assert f'href="#finding-{number}"' in inside


@pytest.mark.parametrize(
    "absent",
    [
        {"with_depth": False},
        {"with_imu": False},
        {"with_pose": False},
        {"with_tracking_state": False, "with_mesh": False},
        {"with_camera_info": False},
        {"with_hands": False},
        {
            "with_depth": False,
            "with_imu": False,
            "with_pose": False,
            "with_tracking_state": False,
            "with_camera_info": False,
            "with_mesh": False,
        },
    ],
    ids=lambda absent: "-".join(sorted(absent)),
)
def test_a_recording_without_a_stream_still_gets_a_report(tmp_path, absent):
    episode = make_episode(tmp_path / "episode", seconds=4.0, **absent)

    outcome = episode.report(tmp_path / "report")

    content = load(tmp_path / "report")
    assert outcome.summary["verdict"] in ("pass", "review")
    assert len(content["intervals"]) == 1
    for stream in ("depth", "imu"):
        if f"with_{stream}" in absent:
            assert content["metrics"][stream] is None
    if "with_pose" in absent:
        assert content["metrics"]["trajectory"] is None
    assert Page((tmp_path / "report" / "report.html").read_text(encoding="utf-8")).open == []


def test_pictures_that_do_not_decode_are_named(tmp_path):
    episode = make_episode(tmp_path / "episode", seconds=4.0, corrupt_frames=(7, 8))

    episode.report(tmp_path / "report")

    check = next(c for c in load(tmp_path / "report")["checks"] if c["id"] == "undecodable")
    assert (check["status"], check["value"]) == ("warn", 2)
    assert "messages 7, 8" in check["detail"]


def test_hands_that_were_not_run_leave_a_report(tmp_path):
    episode = make_episode(tmp_path / "episode", seconds=4.0, hands=False)

    outcome = episode.report(tmp_path / "report")

    assert outcome.summary["score"] <= 90
    assert load(tmp_path / "report")["metrics"]["hands"] is None


def test_an_hour_full_of_findings_stays_within_the_limits(evidence):
    """Sixty minutes in which every other second is black, with every picture as large as it may be."""
    e = repeated(evidence, 450)
    mean, dark = e.signals.mean.copy(), e.signals.dark_ratio.copy()
    is_black = np.arange(len(e)) // 15 % 2 == 1
    mean[is_black], dark[is_black] = 3.0, 1.0
    e = replace(e, signals=replace(e.signals, mean=mean, dark_ratio=dark))
    blocks = metric_blocks(e, QualityConfig())
    judgement = judge(e, blocks, QualityConfig())
    content = document(
        e, judgement, blocks, privacy_block(e, PASSED, {}), QualityConfig(), signals_sha256="0" * 64
    )

    assert content["reasons_total"] >= 1800
    assert len(dumps(content).encode()) < 300_000
    shown = [frame for item in shown_findings(judgement) if (frame := middle_of(item)) is not None]
    small = {frame: SheetPicture(frame, "black", bytes(3_000), 176, 99) for frame in shown}
    sheet = tuple(SheetPicture(frame, "", bytes(40_000), 384, 216) for frame in range(12))
    assert len(small) == 100
    assert len(render(e, judgement, content, Pictures(sheet, small)).encode()) < 2_500_000


def test_hostile_names_stay_text(tmp_path):
    episode = make_episode(tmp_path / "episode", seconds=2.5, hands=False)
    privacy = {**PASSED, "note": "<script>alert(1)</script>", "<b>": '"><img src=x onerror=alert(1)>'}

    episode.report(tmp_path / "report", privacy=privacy)

    text = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert text.count("<script") == 1
    assert "<img src=x" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize("privacy", [None, {}, {"audit": "failed"}, {"audit": "unverified"}])
def test_without_a_passed_audit_there_is_no_report(clean, tmp_path, privacy):
    with pytest.raises(UnauditedArtifact):
        clean.report(tmp_path / "report", privacy=privacy)

    assert list((tmp_path / "report").iterdir()) == []


def test_numbers_of_another_video_are_refused(tmp_path):
    episode = make_episode(tmp_path / "episode", seconds=2.5, hands=False)
    table = pq.read_table(episode.blurred / "signals.parquet")
    pq.write_table(table.slice(1), episode.blurred / "signals.parquet")

    with pytest.raises(ArtifactDamaged, match="do not belong"):
        episode.report(tmp_path / "report")


def test_no_pictures_can_be_asked_for(clean, tmp_path):
    clean.report(tmp_path, config=QualityConfig(contact_sheet_frames=0))

    assert "data:image" not in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "fields",
    [
        {"black_mean_max": -1.0},
        {"keep_min_s": float("nan")},
        {"health_thresholds": (60.0, 80.0)},
        {"required_streams": ("rgb", "smell")},
        {"contact_sheet_frames": 13},
    ],
)
def test_a_threshold_out_of_range_is_refused(fields):
    with pytest.raises(BadConfig):
        QualityConfig(**fields)


def test_the_comparison_score_follows_the_reference_formula(clean):

    config = QualityConfig()
    blocks = metric_blocks(clean.evidence(), config)
    blocks["rgb"] = {**blocks["rgb"], "gap_count": 3}
    blocks["depth"] = {**blocks["depth"], "valid_pct_mean": 50.0}
    blocks["sync"] = {**blocks["sync"], "rgb_vs_pose": {"within_50ms_pct": 40.0}}
    hands = {
        "frames_with_any_hand_pct": 10.0,
        "frames_with_1plus_hand_pct": 10.0,
        "frames_with_2_hands_pct": 0.0,
    }
    blocks["hands"] = {**blocks["hands"], **hands}

    total, _ = stera_score(blocks, config, has_pose=True)

    assert total == pytest.approx(100 - 3 - 9 - 5 - (40 * 0.15 + 20 * 0.05 + 20 * 0.1))


def test_with_every_stream_absent_the_comparison_score_is_seventy(clean):

    total, _ = stera_score({"rgb": {"gap_count": 0}}, QualityConfig(), has_pose=False)

    assert total == 70


def test_nearest_distances_are_signed_and_ties_go_to_the_earlier():

    found = nearest_distance_ms(
        np.array([0, 10_000_000], np.int64), np.array([-2_000_000, 2_000_000, 9_000_000], np.int64)
    )

    assert found.tolist() == [-2.0, -1.0]


def test_names_of_ten_kilobytes_stay_within_the_limits(evidence):
    names = [f"/{number}/{'x' * 10_000}" for number in range(80)]
    topic = evidence.inventory.topics[0]
    inventory = replace(evidence.inventory, topics=tuple(replace(topic, topic=name) for name in names))
    tf = replace(evidence.tf, moving={(name, name): 1 for name in names})
    e = replace(evidence, inventory=inventory, tf=tf)
    blocks = metric_blocks(e, QualityConfig())
    judgement = judge(e, blocks, QualityConfig())

    content = document(
        e, judgement, blocks, privacy_block(e, PASSED, {}), QualityConfig(), signals_sha256="0" * 64
    )

    assert len(content["metrics"]["recording"]["topic_counts"]) == 60
    assert len(dumps(content).encode()) < 300_000
    assert len(render(e, judgement, content, Pictures()).encode()) < 1_000_000


def test_the_page_lists_at_most_a_hundred_findings_and_no_kind_crowds_out_another(evidence):
    e = repeated(evidence, 60)
    mean, dark = e.signals.mean.copy(), e.signals.dark_ratio.copy()
    is_black = np.arange(len(e)) // 15 % 2 == 1
    mean[is_black], dark[is_black] = 3.0, 1.0
    bright = e.signals.bright_ratio.copy()
    bright[30:45] = 0.9
    judgement = judged(
        e := replace(e, signals=replace(e.signals, mean=mean, dark_ratio=dark, bright_ratio=bright))
    )

    shown = shown_findings(judgement)

    assert sum(item.kind == "black" for item in judgement.findings) > 200
    assert len(shown) == 100
    assert {item.kind for item in shown} == {item.kind for item in judgement.findings}
    assert list(shown) == [item for item in judgement.findings if item in shown]


def test_long_lines_keep_their_spikes_and_gaps():
    values = np.zeros(54_000)
    values[31_234] = 9.0
    values[40_000:40_100] = np.nan
    seconds = np.arange(54_000) / 15

    kept = thinned(values, stretches(seconds, [(100.0, 102.0)]))

    assert 31_234 in kept
    assert len(kept) <= 1600
    assert sum(100.0 <= seconds[row] <= 102.0 for row in kept) == 31
    piece = pieces(values, None)
    assert piece[kept[0]] != piece[kept[-1]]
    assert np.isfinite(values[kept]).all()
