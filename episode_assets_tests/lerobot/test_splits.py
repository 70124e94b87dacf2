import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.errors import BadConfig
from episode_assets.lerobot import Recipe
from episode_assets.lerobot.labels import NOTHING_SAID, BadLabels, Labels, read_labels
from episode_assets.lerobot.recipe_packing import Packing
from episode_assets.lerobot.selecting import refused, takes_task
from episode_assets.lerobot.splits import divide, group_of, split_of

HALVES = Packing(splits=(("train", 0.5), ("test", 0.5)))
NAMES = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=60, unique=True)


@settings(max_examples=60, deadline=None)
@given(names=NAMES, people=st.lists(st.sampled_from("abcd"), min_size=60, max_size=60))
def test_growth_never_moves_a_recording_and_no_person_is_on_both_sides(names, people):
    packing = replace(HALVES, group_by="person")
    labels = {
        name: Labels(person=person) if person != "d" else NOTHING_SAID
        for name, person in zip(names, people, strict=False)
    }

    grown = [divide(names[:count], labels, packing) for count in range(1, len(names) + 1)]

    for fewer, more in itertools.pairwise(grown):
        assert all(set(fewer[split]) <= set(more[split]) for split in ("train", "test"))
    sides = {split: {labels[name].person for name in found} - {None} for split, found in grown[-1].items()}
    assert not sides["train"] & sides["test"]
    assert sorted(grown[-1]["train"] + grown[-1]["test"]) == sorted(names)


def test_shares_are_met_on_average():
    packing = Packing(splits=(("train", 0.8), ("validation", 0.1), ("test", 0.1)))
    found = divide(
        [f"r{i}" for i in range(4000)], dict.fromkeys((f"r{i}" for i in range(4000)), NOTHING_SAID), packing
    )

    assert [round(len(names) / 4000, 1) for names in found.values()] == [0.8, 0.1, 0.1]


def test_another_key_divides_differently_and_none_divides_nothing():
    names = [f"r{i}" for i in range(40)]
    other = replace(HALVES, split_key="another")

    assert [split_of(name, HALVES) for name in names] != [split_of(name, other) for name in names]
    assert {split_of(name, Packing()) for name in names} == {None}


def test_a_recording_of_nobody_known_is_a_group_of_its_own():
    packing = replace(HALVES, group_by="place")

    assert group_of("a", NOTHING_SAID, packing) != group_of("b", NOTHING_SAID, packing)
    assert group_of("a", Labels(place="k"), packing) == group_of("b", Labels(place="k"), packing)
    assert group_of("a", Labels(person="k"), packing) != group_of("b", Labels(place="k"), packing)


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        ({"train": 0.9}, "add up to 1"),
        ({"train": 1.5, "test": -0.5}, "more than 0"),
        ({"meta": 0.5, "train": 0.5}, "lower-case words"),
        ([["a", 0.5], ["a", 0.5]], "names that differ"),
    ],
)
def test_shares_that_cannot_be_are_refused(splits, said):
    with pytest.raises(BadConfig, match=said):
        Recipe.from_mapping({"packing": {"splits": splits}})


def test_a_selection_lets_in_only_what_meets_all_of_it():
    recipe = Recipe.from_mapping(
        {
            "selection": {
                "tags": ["kitchen"],
                "without_tags": ["test run"],
                "consent": ["research"],
                "licences": ["cc-by-4.0"],
                "tasks": ["pour *"],
            }
        }
    )
    good = Labels(tags=("kitchen", "day"), consent="research", licence="cc-by-4.0")

    def code(labels):
        found = refused(recipe.selection, "a", labels)
        return found and found[0]

    assert code(good) is None
    assert code(replace(good, tags=("day",))) == "tags"
    assert code(replace(good, tags=("kitchen", "test run"))) == "tags"
    assert code(replace(good, consent="none")) == "consent"
    assert code(replace(good, licence=None)) == "licence"
    assert code(NOTHING_SAID) == "tags"
    assert takes_task(recipe.selection, "pour tea") and not takes_task(recipe.selection, "unlabelled")
    assert refused(Recipe().selection, "a", NOTHING_SAID) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[1]", "an object"),
        (b"{", "no JSON"),
        (b'{"consnt": "yes"}', "unknown label 'consnt'"),
        (b'{"tags": "kitchen"}', "label 'tags' is 'kitchen'"),
        (b'{"person": 3}', "label 'person' is 3"),
    ],
)
def test_labels_that_say_nothing_clear_are_refused(text, said):
    with pytest.raises(BadLabels, match=said):
        read_labels(text, where="a.labels.json")


def test_labels_are_read_as_they_are():
    found = read_labels(b'{"tags": ["a", "b"], "consent": "yes", "place": null}', where="x")

    assert found == Labels(tags=("a", "b"), consent="yes")
