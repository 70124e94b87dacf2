"""Exactly the recordings with a fault are flagged, where it is, and the others score well."""

from __future__ import annotations

import secrets

import pytest

from episode_assets_tests.qc.fault_suite.draw import FAULTS, SCENES, draw_cases
from episode_assets_tests.qc.fault_suite.suite import run_draw, table

SHORT_SEED = 11


def test_a_draw_follows_from_its_seed_and_has_every_fault_once():
    draw, again, other = (draw_cases(seed, clean=18) for seed in (5, 5, 6))

    assert draw == again
    assert draw.cases != other.cases
    assert sorted(case.fault.kind for case in draw.faulty) == sorted(FAULTS)
    assert {case.scene for case in draw.cases if case.fault is None} == set(SCENES)


@pytest.mark.timeout(900)
def test_every_fault_is_found_in_a_short_draw():
    """The same every time; the drawn ones are long."""
    result = run_draw(draw_cases(SHORT_SEED, clean=3, seconds=9.0, shorter=2.0))

    assert not result.complaints, "\n".join(table(result))


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_exactly_the_faulty_recordings_of_a_draw_are_flagged_in_their_place():
    result = run_draw(draw_cases(secrets.randbelow(2**31), clean=90))

    assert not result.complaints, "\n".join(table(result))
