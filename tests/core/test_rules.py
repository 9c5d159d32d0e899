"""Rules: what they leave of the legal answers, how they are written, and which cannot stand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layertie_lab.core.errors import ConfigError, LayertieError, TieError
from layertie_lab.core.rules import Rules
from layertie_lab.core.ties import TieMap

TIED = TieMap.all_tied(6)
MIXED = TieMap((0, 0, 2, 2, 4, 5))


@pytest.mark.parametrize(
    ("text", "ties", "layer", "legal"),
    [
        ("", MIXED, 3, (0, 1, 2, 3)),
        ("independent=-1", TIED, 5, (5,)),
        ("independent=-1", TIED, 4, (0, 1, 2, 3, 4)),
        ("neighbours", TIED, 4, (3, 4)),
        ("locked=3", MIXED, 3, (2,)),
        ("locked=-1", MIXED, 5, (5,)),
        ("most-owners=2", TIED, 3, (0, 1, 2, 3)),
        ("most-owners=1", TIED, 3, (0, 1, 2)),
        ("most-owners=4", MIXED, 3, (0, 1, 2)),  # a fifth owner would be too many
        ("most-owners=4", MIXED, 4, (0, 1, 2, 3, 4)),  # one of four may stay one
        ("most-owners=2", MIXED, 4, (0, 1, 2, 3)),  # too many already: it gives way
        ("most-owners=2; independent=4", MIXED, 4, (4,)),
        ("most-owners=2; locked=4", MIXED, 4, (4,)),
        ("most-owners=2; neighbours", MIXED, 2, (1,)),
    ],
)
def test_what_they_leave(text: str, ties: TieMap, layer: int, legal: tuple[int, ...]) -> None:
    assert Rules.parse(text).legal(ties, layer) == legal


numbers = st.lists(st.integers(-6, 5), max_size=3).map(tuple)
some_rules = st.builds(
    Rules, independent=numbers, most_owners=st.integers(0, 6), neighbours=st.booleans(), locked=numbers
)


@given(some_rules)
def test_written_and_read_again_they_are_the_same(rules: Rules) -> None:
    assert Rules.parse(str(rules)) == rules
    assert bool(rules) == bool(str(rules))
    assert rules.in_words.endswith(".")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "independent=0,-1; most-owners=1",
            "always on their own: layer 0 and the last layer; at most 1 independent layer.",
        ),
        ("independent=0,2,3,-2,-1", "always on their own: layers 0, 2, 3, layer 2 from the end and the last layer."),
        ("independent=-1; locked=3", "always on its own: the last layer; layer 3 keeps its source."),
        ("most-owners=2; locked=1,2", "at most 2 independent layers; layers 1, 2 keep their source."),
    ],
)
def test_what_holds_is_said_as_a_person_says_it(text: str, words: str) -> None:
    assert Rules.parse(text).in_words == f"Rules that stand: {words}"


@given(some_rules, st.data())
def test_a_map_answered_by_the_rules_comes_to_keep_them(rules: Rules, data: st.DataObject) -> None:
    ties = TieMap(tuple(data.draw(st.integers(0, layer)) for layer in range(6)))
    try:
        rules.check(ties)
    except LayertieError:
        return
    before = ties
    for layer in (*range(1, 6), *range(1, 6)):
        ties = ties.act(layer, data.draw(st.sampled_from(rules.legal(ties, layer))))
    for layer in rules.independent:
        assert ties[layer % 6] == layer % 6
    for layer in rules.locked:
        assert ties[layer % 6] == before[layer % 6]
    if rules.neighbours:
        assert all(ties[layer] >= layer - 1 for layer in range(1, 6))
    if rules.most_owners and not rules.locked:
        assert len(ties.independent_layers) <= rules.most_owners


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("beautiful", "Expected rules, but got 'beautiful'"),
        ("independent", "Expected rules, but got 'independent'"),
        ("neighbours=2", "Expected rules"),
        ("locked=a", "whole numbers after locked="),
        ("most-owners=-1", "most-owners to be 1 or more"),
    ],
)
def test_lines_that_name_no_rules(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Rules.parse(text)


def test_rules_that_no_map_can_keep() -> None:
    with pytest.raises(ConfigError, match="from 0 to 5"):
        Rules(independent=(6,)).check_layers(6)
    with pytest.raises(ConfigError, match="at most 2 independent layers, but 3"):
        Rules(independent=(2, 4), most_owners=2).check_layers(6)
    with pytest.raises(TieError, match=r"one legal action for layer 4.*leave none.*tied to 0"):
        Rules(independent=(4,), locked=(4,)).check(TIED)
    Rules(independent=(4,), locked=(4,)).check(MIXED)
