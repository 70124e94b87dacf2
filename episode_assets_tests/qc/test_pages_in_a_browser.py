"""The report of a recording and the page over all recordings as people use them: in Chromium, wide and narrow."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from episode_assets.bundle import EpisodeBundle
from episode_assets.pipeline.archive import bring_archive_up_to_date
from episode_assets.qc import QualityConfig
from episode_assets.qc.archive import ARCHIVE_PAGE
from episode_assets.qc.document import document
from episode_assets.qc.marks import shown_findings
from episode_assets.qc.metrics import metric_blocks
from episode_assets.qc.page import render
from episode_assets.qc.pictures import Pictures, take_pictures
from episode_assets.qc.privacy import privacy_block
from episode_assets.qc.quality import judge
from episode_assets.storage import Store
from episode_assets_tests.qc.archives import MAY_2026_NS, publish, register
from episode_assets_tests.qc.episodes import PASSED, Episode, repeated

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
HOSTILE = (
    '<script>document.title="taken"</script><img src=x onerror=document.title="taken">]]>\u202e"'
    + "a" * 10_000
)

CONTRAST = """
selectors => {
  const parse = words => words.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = element => {
    for (let e = element; e; e = e.parentElement) {
      const found = parse(getComputedStyle(e).backgroundColor);
      if (found.length === 3 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  return selectors.map(selector => {
    const element = document.querySelector(selector);
    const pair = [light(parse(getComputedStyle(element).color)), light(ground(element))].sort((a, b) => b - a);
    return [selector, (pair[0] + .05) / (pair[1] + .05)];
  });
}
"""


@dataclass
class Watched:
    """A page, and what went wrong in it."""

    page: Page
    troubles: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def open(self, path: Path, anchor: str = "") -> Page:
        self.page.goto(path.as_uri() + anchor)
        return self.page

    def views(self) -> set[tuple[float, ...]]:
        """The view boxes of all charts over time, as shares of the whole width."""
        boxes = self.page.evaluate(
            """() => [...document.querySelectorAll('svg[data-zoom="time"], svg[data-zoom="row"]')].map(svg => {
                 const box = (svg.querySelector('.plot') ?? svg).viewBox.baseVal;
                 const all = svg.dataset.zoom === 'row' ? 1000 : 464;
                 return [box.x / all, box.width / all];
               })"""
        )
        return {tuple(round(value, 3) for value in box) for box in boxes}

    def drag(self, selector: str, start: float, end: float) -> None:
        box = self.page.locator(selector).first.bounding_box()
        assert box is not None
        y = box["y"] + box["height"] / 2
        self.page.mouse.move(box["x"] + start * box["width"], y)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + (start + end) / 2 * box["width"], y)
        self.page.mouse.move(box["x"] + end * box["width"], y)
        self.page.mouse.up()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM, "no Chromium found; on Debian: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def watched_page(browser: Browser, **options: Any) -> Watched:
    watched = Watched(browser.new_page(**{"viewport": WIDE, "reduced_motion": "reduce", **options}))
    page, troubles = watched.page, watched.troubles
    page.on(
        "console",
        lambda message: troubles.append(message.text) if message.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("dialog", lambda dialog: (troubles.append("dialog"), dialog.dismiss()))
    page.on("request", lambda request: watched.requests.append(request.url))
    page.set_default_timeout(10_000)
    return watched


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    watched = watched_page(browser)
    yield watched
    watched.page.close()
    assert watched.troubles == []


@pytest.fixture(scope="module")
def report(interrupted: Episode, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pages")
    interrupted.report(directory)
    return directory / "report.html"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    store = Store.open(str(folder / "store"))
    rows = (
        ("alpha", {"score": 88.0, "verdict": "review", "found": {"black": 2}, "kept_s": 10.0}),
        ("beta", {"score": 99.0, "verdict": "pass", "sha256": "ab" * 32, "kept_s": 300.0}),
        ("gamma", {"score": 9.0, "verdict": "fail", "found": {"rgb_gap": 1}, "kept_s": 40.0}),
        ("delta", {"score": 100.0, "verdict": "pass", "sha256": "ab" * 32, "wall_offset_ns": MAY_2026_NS}),
    )
    for name, values in rows:
        publish(store, register(store, folder, name, task=f"task of {name}"), **values)
    register(store, folder, "waiting")
    return bring_archive_up_to_date(store).artifact.path(ARCHIVE_PAGE)


def is_wider_than_the_screen(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("name", ["report", "archive"])
def test_a_page_opens_without_errors_or_requests_and_fits_the_screen(browser, request, name, size, scheme):
    watched = watched_page(browser, viewport=size, color_scheme=scheme)
    path = request.getfixturevalue(name)

    page = watched.open(path)

    assert not is_wider_than_the_screen(page)
    assert [url for url in watched.requests if not url.startswith("data:")] == [path.as_uri()]
    assert page.evaluate("[...document.images].every(i => { i.loading = 'eager'; return true; })")
    page.wait_for_function("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    soft = [".soft", ".badge.good", "thead th", "nav a", ".tiles dt", "td a, th a"]
    for selector, ratio in page.evaluate(CONTRAST, soft):
        assert ratio >= 4.5, selector
    page.close()
    assert watched.troubles == []


def test_the_report_shows_verdict_score_sections_and_findings(watched: Watched, report: Path):
    content = json.loads(report.with_name("qc.json").read_text())

    page = watched.open(report)

    assert page.locator("h1").inner_text() == content["episode_id"]
    assert page.locator("#summary .badge").first.inner_text().endswith(content["verdict"])
    assert page.locator(".ring-chart .score").text_content() == f"{content['score']:.0f}"
    headings = page.locator("section h2").all_inner_texts()
    assert headings == ["Timeline", "Findings", "Pictures", "Video", "Trajectory", "IMU", "Depth", "Hands", "Sync",
                        "3D map", "Checks", "Privacy", "Reference"]  # fmt: skip
    rows = page.locator("tr[id^='finding-']")
    assert rows.count() == len(content["findings"])
    for number, item in enumerate(content["findings"]):
        words = rows.nth(number).inner_text()
        assert item["kind"].replace("_", " ") in words
        assert item["advice"] in words
    charts = page.locator("figcaption span:first-child").all_inner_texts()
    assert {"Path from above", "Height", "Speed", "Acceleration", "Rotation", "Valid pixels", "Depth", "Confidence",
            "Hands of the wearer per frame", "Pictures to depth", "Pictures to poses"} <= set(charts)  # fmt: skip


def test_dragging_over_a_chart_zooms_all_charts_over_time(watched: Watched, report: Path):
    page = watched.open(report)
    assert watched.views() == {(0.0, 1.0)}
    page.locator("#video .chart").first.scroll_into_view_if_needed()

    watched.drag("#video .chart", 0.3, 0.6)

    ((start, length),) = watched.views()
    assert 0.2 < start < 0.3
    assert 0.3 < length < 0.4
    assert " \u2013 " in page.locator(".zoombar .shown").inner_text()
    labels = page.locator("#video .chart").first.locator(".xs text").all_inner_texts()
    assert "0.0 s" not in labels
    page.get_by_role("button", name="all", exact=True).click()
    assert watched.views() == {(0.0, 1.0)}


def test_a_histogram_and_the_path_are_zoomed_by_themselves(watched: Watched, report: Path):
    page = watched.open(report)
    for kind in ("value", "plan"):
        selector = f'#trajectory svg[data-zoom="{kind}"]'
        page.locator(selector).scroll_into_view_if_needed()

        watched.drag(selector, 0.4, 0.6)

        box = page.locator(f"{selector} .plot").get_attribute("viewBox").split()
        assert float(box[2]) < 464 / 3
        assert (float(box[3]) < 156) == (kind == "plan")
        page.locator(selector).press("0")
        assert page.locator(f"{selector} .plot").get_attribute("viewBox") == "0 0 464 156"
    assert watched.views() == {(0.0, 1.0)}


def test_keys_and_buttons_zoom_too(watched: Watched, report: Path):
    page = watched.open(report)

    page.locator("#video .chart").first.press("+")
    assert watched.views() == {(0.25, 0.5)}
    page.locator("#video .chart").first.press("ArrowRight")
    assert watched.views() == {(0.375, 0.5)}
    page.get_by_role("button", name="zoom in").click()
    page.get_by_role("button", name="earlier").click()

    assert watched.views() == {(0.375, 0.25)}


def test_a_finding_leads_to_its_stretch_of_the_charts(watched: Watched, report: Path):
    page = watched.open(report)
    content = json.loads(report.with_name("qc.json").read_text())
    number = [item["kind"] for item in content["findings"]].index("rgb_gap")
    finding = content["findings"][number]

    page.locator(f"#finding-{number} a.show").click()

    ((start, length),) = watched.views()
    whole = (content["last_stamp_ns"] - content["first_stamp_ns"]) / 1e9
    assert start * whole < finding["t_start"] < finding["t_end"] < (start + length) * whole
    focus = page.locator("#video .chart").first.locator(".focus")
    assert float(focus.get_attribute("width")) == pytest.approx(
        (finding["t_end"] - finding["t_start"]) / whole * 464, rel=0.01
    )
    box = page.locator("#video .chart").first.bounding_box()
    assert 0 <= box["y"] < WIDE["height"]


@pytest.mark.parametrize("place", ["#timeline", "#video"])
def test_a_mark_on_a_chart_leads_to_its_finding(watched: Watched, report: Path, place: str):
    page = watched.open(report)
    mark = page.locator(f"{place} svg a[href^='#finding-']").first
    mark.scroll_into_view_if_needed()

    mark.locator("rect").click()

    assert page.evaluate("location.hash") == mark.get_attribute("href")
    assert page.locator("tr:target").count() == 1
    assert page.locator("tr:target").is_visible()


def test_the_value_under_the_pointer_is_named(watched: Watched, report: Path):
    page = watched.open(report)
    chart = page.locator("#video .chart").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()

    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 30)

    assert " s: " in page.locator("#video .note").first.inner_text()


def test_colours_can_be_turned_by_hand(watched: Watched, report: Path):
    page = watched.open(report)
    ground = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(ground)

    page.get_by_role("button", name="use dark colours").click()

    assert page.evaluate(ground) != before
    page.get_by_role("button", name="use light colours").click()
    assert page.evaluate(ground) == before


@pytest.mark.parametrize("name", ["report", "archive"])
def test_a_page_is_readable_without_scripts(browser, request, name):
    watched = watched_page(browser, java_script_enabled=False, viewport=NARROW)

    page = watched.open(request.getfixturevalue(name))

    assert page.locator("tbody tr").count() > 3
    assert page.locator("tbody tr").first.is_visible()
    assert not page.locator(".zoombar, .controls, .theme").first.is_visible()
    page.close()


def test_a_printed_report_has_no_controls(watched: Watched, report: Path):
    page = watched.open(report)

    page.emulate_media(media="print")

    assert not page.locator("nav").is_visible()
    assert not page.locator(".zoombar").is_visible()
    assert page.locator("#findings").is_visible()


@pytest.fixture(scope="module")
def hostile_report(interrupted: Episode, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report in which every name that comes out of a recording is an attack."""
    e, config = interrupted.evidence(), QualityConfig()
    topics = tuple(replace(info, topic=f"{HOSTILE}/mesh/{n}") for n, info in enumerate(e.inventory.topics))
    tf = None if e.tf is None else replace(e.tf, moving={(HOSTILE, HOSTILE): 1})
    e = replace(e, recording_id=HOSTILE, tf=tf, inventory=replace(e.inventory, topics=topics))
    blocks = metric_blocks(e, config)
    judgement = judge(e, blocks, config)
    found = tuple(replace(item, kind=HOSTILE, text=HOSTILE, advice=HOSTILE) for item in judgement.findings)
    judgement = replace(judgement, findings=found, doubts=(HOSTILE,))
    audit = privacy_block(e, {**PASSED, HOSTILE: HOSTILE}, {})
    content = document(e, judgement, blocks, audit, config, signals_sha256="0" * 64)
    with EpisodeBundle.open(interrupted.base / "bundle") as bundle:
        pictures = take_pictures(bundle, e, judgement, most=4)
    path = tmp_path_factory.mktemp("hostile") / "report.html"
    path.write_text(render(e, judgement, content, pictures), encoding="utf-8")
    return path


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_hostile_names_are_inert(browser, hostile_report, size):
    watched = watched_page(browser, viewport=size)

    page = watched.open(hostile_report)

    assert page.title() != "taken"
    assert page.locator("img[src='x']").count() == 0
    assert page.locator("script").count() == 1
    assert not is_wider_than_the_screen(page)
    assert page.locator("h1").inner_text().startswith("<script>")
    assert page.locator("section").count() == 14
    page.close()
    assert watched.troubles == []


def names_of_shown(page: Page) -> list[str]:
    return page.locator(".recordings tbody tr:not([hidden]) th").evaluate_all(
        "heads => heads.map(head => head.dataset.v.split('-')[0])"
    )


def test_the_archive_is_sorted_by_any_column(watched: Watched, archive: Path):
    page = watched.open(archive)
    assert names_of_shown(page) == ["gamma", "alpha", "beta", "delta"]

    page.get_by_role("button", name="score").click()
    assert names_of_shown(page) == ["gamma", "alpha", "beta", "delta"]
    page.get_by_role("button", name="score").click()
    assert names_of_shown(page) == ["delta", "beta", "alpha", "gamma"]
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    page.get_by_role("button", name="recording").click()
    assert names_of_shown(page) == ["alpha", "beta", "delta", "gamma"]
    page.get_by_role("button", name="kept").click()
    assert names_of_shown(page) == ["alpha", "gamma", "delta", "beta"]


def test_the_archive_is_filtered(watched: Watched, archive: Path):
    page = watched.open(archive)

    page.get_by_label("Search").fill("TASK of al")
    assert names_of_shown(page) == ["alpha"]
    assert page.locator(".controls output").inner_text() == "1 of 4 shown"
    page.get_by_label("Search").fill("")
    page.get_by_label("Verdict").select_option("pass")
    assert names_of_shown(page) == ["beta", "delta"]
    page.get_by_label("Verdict").select_option("")
    page.get_by_label("Finding").select_option("rgb_gap")
    assert names_of_shown(page) == ["gamma"]
    page.get_by_label("Finding").select_option("")
    page.get_by_label("near-duplicates only").check()
    assert names_of_shown(page) == ["beta", "delta"]


def test_the_archive_names_duplicates_days_and_what_is_missing(watched: Watched, archive: Path):
    page = watched.open(archive)

    assert "equal files" in page.locator("#duplicates tbody tr").first.inner_text()
    assert page.locator("#time tbody th").all_inner_texts() == ["2026-05-01"]
    assert "waiting-" in page.locator("#missing tbody tr").inner_text()


def test_a_row_of_the_archive_opens_the_report(watched: Watched, archive: Path):
    page = watched.open(archive)

    page.locator(".recordings tbody a").first.click()

    page.wait_for_url("**/report.html")
    assert page.title() == "a report"


def test_an_hour_is_zoomed_down_to_a_finding(watched: Watched, interrupted: Episode, tmp_path: Path):
    """54,000 frames: the page stays small, and the stretch around a finding is drawn frame by frame."""
    whole = interrupted.evidence()
    e = repeated(whole, -(-54_000 // len(whole)))
    mean, dark = e.signals.mean.copy(), e.signals.dark_ratio.copy()
    mean[30_020:30_065], dark[30_020:30_065] = 3.0, 1.0
    e = replace(e, signals=replace(e.signals, mean=mean, dark_ratio=dark))
    config = QualityConfig()
    blocks = metric_blocks(e, config)
    judgement = judge(e, blocks, config)
    audit = privacy_block(e, PASSED, {})
    content = document(e, judgement, blocks, audit, config, signals_sha256="0" * 64)
    path = tmp_path / "report.html"
    path.write_text(render(e, judgement, content, Pictures()), encoding="utf-8")
    assert path.stat().st_size < 1_500_000
    page = watched.open(path)
    number = [item.kind for item in shown_findings(judgement)].index("black")

    page.locator(f"#finding-{number} a.show").click()

    ((start, length),) = watched.views()
    assert start * e.t(e.stamps_ns[-1]) < e.t(e.stamps_ns[30_020])
    assert length < 0.05
    inside = page.evaluate(
        """() => {
             const svg = document.querySelector('#video .chart'), box = svg.querySelector('.plot').viewBox.baseVal;
             const points = [...svg.querySelector('.line').getAttribute('d').matchAll(/[ML]([\\d.]+)/g)];
             return points.filter(p => p[1] >= box.x && p[1] <= box.x + box.width).length;
           }"""
    )
    assert inside > 20
