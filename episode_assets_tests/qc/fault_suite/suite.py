"""A whole draw: every case reported, in two processes, and a table of what was found where."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from episode_assets_tests.qc.fault_suite.chain import Reported, report_case
from episode_assets_tests.qc.fault_suite.draw import Draw
from episode_assets_tests.qc.fault_suite.expectation import complaints

PROCESSES = 2


@dataclass(frozen=True)
class Result:
    """A draw and its reports, in the order of the cases."""

    draw: Draw
    reports: tuple[Reported, ...]

    @property
    def complaints(self) -> dict[str, list[str]]:
        """What is wrong, by the name of the case."""
        found = {reported.case.name: complaints(reported) for reported in self.reports}
        return {name: words for name, words in found.items() if words}


def run_draw(draw: Draw, *, processes: int = PROCESSES) -> Result:
    """Report every case of a draw."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return Result(draw, tuple(pool.map(report_case, draw.cases)))


def table(result: Result) -> Iterator[str]:
    """Yield the lines of the result: the draw, each faulty recording, what went wrong, and the clean ones by scene."""
    clean = [reported for reported in result.reports if reported.case.fault is None]
    yield f"draw {result.draw.seed}: {len(result.reports)} recordings, {len(result.draw.faulty)} with a fault"
    for reported in result.reports:
        if reported.case.fault is not None:
            yield f"  {_line(reported)}"
    for scene in sorted({reported.case.scene for reported in clean}):
        scores = [reported.content["score"] for reported in clean if reported.case.scene == scene]
        yield f"  clean {scene}: {len(scores)} recordings, scores {min(scores):g} to {max(scores):g}"
    flagged = [reported.case.name for reported in clean if reported.is_flagged]
    yield f"  clean and flagged: {', '.join(flagged) or 'none'}"
    for name, words in result.complaints.items():
        yield f"  WRONG {name}: {'; '.join(words)}"
    yield f"  {'as it should be' if not result.complaints else 'not as it should be'}"


def _line(reported: Reported) -> str:
    found = []
    for id_ in reported.findings:
        check = reported.check(id_)
        places = [f"{first}..{last}" for first, last, *_ in check["ranges"][:3]]
        found.append(f"{id_} {' '.join(places) or check['value']}")
    put = f"{reported.faulty[0]}..{reported.faulty[-1]}" if reported.faulty else "throughout"
    case, score = reported.case, reported.content["score"]
    return f"{case.name}: {case.fault}, frames {put}; found {', '.join(found) or 'nothing'}; {score:g}"
