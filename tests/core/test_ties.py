"""The tie map: legality, chains, and that an answer changes one entry only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layertie_lab.core.errors import ConfigError, TieError
from layertie_lab.core.patterns import PATTERNS, pattern
from layertie_lab.core.ties import TieMap, sharing_of


@st.composite
def tie_maps(draw: st.DrawFn, most: int = 16) -> TieMap:
    layers = draw(st.integers(1, most))
    return TieMap(tuple(draw(st.integers(0, layer)) for layer in range(layers)))


@given(tie_maps())
def test_owners_are_independent_and_earlier(ties: TieMap) -> None:
    for layer, owner in enumerate(ties.owners):
        assert owner <= layer
        assert ties[owner] == owner
        assert ties.owners[ties[layer]] == owner


@given(tie_maps())
def test_groups_partition_the_layers(ties: TieMap) -> None:
    members = [layer for group in ties.groups.values() for layer in group]
    assert sorted(members) == list(range(len(ties)))
    assert tuple(ties.groups) == ties.independent_layers


@given(tie_maps(), st.data())
def test_an_answer_changes_one_source_and_is_undone_by_the_old_one(ties: TieMap, data: st.DataObject) -> None:
    layer = data.draw(st.integers(0, len(ties) - 1))
    answer = data.draw(st.sampled_from(ties.legal(layer)))
    after = ties.act(layer, answer)
    assert [i for i in range(len(ties)) if after[i] != ties[i]] in ([], [layer])
    assert after[layer] == answer
    assert after.act(layer, ties[layer]) == ties


@given(tie_maps())
def test_flattening_keeps_the_sharing(ties: TieMap) -> None:
    flat = ties.flattened()
    assert flat.owners == ties.owners
    assert flat.flattened() == flat
    assert sharing_of(ties.owners).owners == ties.owners


@pytest.mark.parametrize("sources", [(), (1,), (0, 2), (0, -1), (0, 1, 3), (0, "x")])
def test_illegal_maps_are_refused_in_a_sentence(sources: tuple) -> None:
    with pytest.raises(TieError, match=r"Expected .* but got .*\."):
        TieMap(sources)


@pytest.mark.parametrize(("layer", "answer"), [(2, 3), (2, -1), (2, True), (3, 0), (-1, 0), (1, 1.0)])
def test_illegal_answers_are_refused_in_a_sentence(layer: int, answer: object) -> None:
    with pytest.raises(TieError, match=r"Expected .* but got .*\."):
        TieMap((0, 0, 0)).act(layer, answer)


def test_a_chain_follows_its_source() -> None:
    ties = TieMap((0, 1, 1))
    assert ties.act(1, 0).owners == (0, 0, 0)
    assert ties.act(1, 0).act(1, 1).owners == (0, 1, 1)


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("layers", [1, 2, 3, 5, 12, 48])
def test_patterns_are_legal_at_every_depth(name: str, layers: int) -> None:
    assert len(pattern(name, layers)) == layers


def test_patterns_as_published() -> None:
    assert pattern("cycle", 6, 3).sources == (0, 1, 2, 0, 1, 2)
    assert pattern("sequence", 6, 3).sources == (0, 0, 2, 2, 4, 4)
    assert pattern("cycle-reverse", 6, 3).sources == (0, 1, 2, 2, 1, 0)
    assert pattern("sandwich", 5).sources == (0, 1, 1, 1, 4)
    assert pattern("middle-cycle", 6, 4).sources == (0, 1, 2, 1, 2, 5)
    assert pattern("repeat", 6).sources == (0, 0, 2, 2, 4, 4)


@pytest.mark.parametrize(("name", "blocks"), [("spiral", None), ("cycle", 0), ("cycle", 7)])
def test_unknown_patterns_are_refused(name: str, blocks: int | None) -> None:
    with pytest.raises(ConfigError, match="Expected"):
        pattern(name, 6, blocks)


@given(tie_maps())
def test_a_map_is_read_from_its_sources(ties: TieMap) -> None:
    assert TieMap.parse(ties.text) == ties
    assert TieMap.parse(str(ties)) == ties
    assert TieMap.parse(",".join(map(str, ties))) == ties


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "at least one layer"),
        ("0 x", "whole numbers"),
        ("0 0.5", "whole numbers"),
        ("0 2", "but got source 2"),
        ("0 -1", "but got source -1"),
    ],
)
def test_a_line_that_is_no_map(text: str, said: str) -> None:
    with pytest.raises(TieError, match=said) as caught:
        TieMap.parse(text)
    assert caught.value.remedy
