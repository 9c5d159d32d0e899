"""Settings as a form and as a link."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layertie_lab.core.config import RunConfig
from layertie_lab.core.descriptions import Description
from layertie_lab.core.errors import ConfigError
from layertie_lab.core.serialize import Setting, settings_of
from layertie_lab.widgets.forms.form import (
    MAIN,
    Draft,
    back_to_preset,
    change,
    config_of,
    draft_of,
    fields,
    from_query,
    problems,
    query_names,
    to_query,
)
from layertie_lab.widgets.forms.wording import GROUPS, Departure, in_labels, label_of

CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "seed": st.integers(0, 10**6),
        "decisions": st.integers(1, 10**5),
        "layers": st.integers(2, 48),
        "dropout": st.floats(0, 0.9),
        "corpus": st.sampled_from(["stdlib", "wikitext-2", "/some/file.txt", "hf:a:b"]),
        "compile": st.booleans(),
        "positions": st.sampled_from(["learned", "rotary"]),
        "learning_rate": st.floats(1e-8, 1.0),
    },
)
SCALES = st.sampled_from(["tiny", "laptop", "workstation", "paper"])
ALGORITHMS = st.sampled_from(["lab", "paper", "official-code"])


@given(SCALES, ALGORITHMS, CHANGES)
def test_a_link_reproduces_every_setting(scale, algorithm, changes) -> None:
    config = RunConfig.preset(scale, algorithm=algorithm, **changes)
    query = to_query(draft_of(config))
    assert all(isinstance(text, str) for text in query.values())
    draft, sentences = from_query(query)
    assert config_of(draft) == config
    assert not sentences


def test_a_link_names_only_what_differs() -> None:
    assert to_query(Draft()) == {"scale": "laptop", "algorithm": "lab"}
    changed = change(change(Draft(), "seed", "7"), "model.bias", "false")
    assert to_query(changed) == {"scale": "laptop", "algorithm": "lab", "seed": "7", "bias": "false"}


def test_a_link_in_any_order_and_with_strangers() -> None:
    draft, sentences = from_query({"heads": "2", "run": "abc", "scale": "tiny", "seed": ["1", "2"], "utm": "x"})
    assert config_of(draft) == RunConfig.preset("tiny", heads=2, seed=2)
    assert not sentences


def test_a_link_with_an_unknown_scale_says_so_and_keeps_the_rest() -> None:
    draft, sentences = from_query({"scale": "huge", "seed": "3"})
    assert config_of(draft) == RunConfig.preset("laptop", seed=3)
    assert len(sentences) == 1
    assert "'huge'" in sentences[0]


def test_query_names_are_distinct() -> None:
    names = query_names()
    assert len(names) == len(set(names)) == len(settings_of(RunConfig))


def test_another_scale_keeps_what_was_changed_by_hand() -> None:
    draft = change(change(Draft(), "seed", "5"), "scale", "tiny")
    assert config_of(draft) == RunConfig.preset("tiny", seed=5)


def test_back_at_the_preset_nothing_is_changed() -> None:
    draft = change(change(Draft(), "decisions", "12"), "decisions", " 200 ")
    assert not draft.changes
    # 30 is what tiny has anyway.
    assert not change(change(Draft(), "scale", "tiny"), "decisions", 30).changes


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("model.heads", "5", "divides the width 64"),
        ("seed", "-1", "between 0 and"),
        ("decisions", "many", "a whole number"),
        ("training.learning_rate", "", "a number"),
        ("model.dropout", "1.5", "below 1"),
        ("decisions", "1.5", "a whole number"),
    ],
)
def test_a_bad_value_is_told_at_its_field(path: str, value: str, words: str) -> None:
    draft = change(Draft(), path, value)
    with pytest.raises(ConfigError):
        config_of(draft)
    assert list(problems(draft)) == [path]
    assert words in problems(draft)[path]
    shown = next(entry for entry in fields(draft) if entry["path"] == path)
    assert shown["value"].strip() == value.strip()


def test_a_bad_combination_is_told_at_the_latest_change() -> None:
    draft = change(change(Draft(), "model.width", "66"), "model.heads", "4")
    assert list(problems(draft)) == ["model.width"]
    draft = change(change(Draft(), "model.heads", "3"), "model.width", "128")
    assert list(problems(draft)) == ["model.heads"]
    draft = change(change(Draft(), "ties.on_untie", "alias"), "ties.moments", "keep")
    assert list(problems(draft)) == [""]
    assert not problems(change(draft, "ties.chain", "snapshot"))


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ConfigError, match="'colour'"):
        change(Draft(), "colour", "red")


def test_fields_cover_every_setting_with_its_help() -> None:
    made = fields(Draft())
    assert [entry["path"] for entry in made[: len(MAIN)]] == list(MAIN)
    assert {entry["path"] for entry in made} == {setting.path for setting in settings_of(RunConfig)}
    assert all(entry["help"] and entry["label"] for entry in made)
    scale = made[0]
    assert scale["choices"] == ["tiny", "laptop", "workstation", "paper"]
    bias = next(entry for entry in made if entry["path"] == "model.bias")
    assert bias["kind"] == "flag"
    assert bias["value"] is True


NAMED = {"agent.policy": (Description("lab", "Lab", about="It learns."), Description("mine", "Mine", about="Mine."))}


def test_names_of_components_are_choices_and_the_help_says_what_the_chosen_one_is() -> None:
    def shown(draft: Draft) -> dict:
        return next(entry for entry in fields(draft, NAMED) if entry["path"] == "agent.policy")

    assert (shown(Draft())["kind"], shown(Draft())["choices"]) == ("choice", ["lab", "mine"])
    assert shown(Draft())["help"].endswith("lab: It learns.")
    mine = change(Draft(), "agent.policy", "mine")
    assert shown(mine)["help"].endswith("mine: Mine.")
    assert not problems(mine, NAMED)
    assert "one of lab, mine, but got 'his'" in problems(change(Draft(), "agent.policy", "his"), NAMED)["agent.policy"]


def test_a_number_has_its_unit_and_range_in_its_help() -> None:
    layers = next(entry for entry in fields(Draft()) if entry["path"] == "model.layers")
    assert layers["help"] == "Number of layers. [layers, between 2 and 1024]"


DEPARTURES = [Departure(f"point {number}", "It says so.", "It does not.") for number in range(1, 12)]
MADE = fields(Draft(), NAMED, DEPARTURES)


@pytest.mark.parametrize("field", MADE, ids=[field["path"] for field in MADE])
def test_a_field_stands_in_a_group_and_names_departures_and_no_settings(field: dict) -> None:
    assert field["group"] in GROUPS
    assert "PAPER" not in field["help"]
    assert not re.search(r"\w=", field["help"])
    for number in field["departures"]:
        assert f"departure: point {number + 1}" in field["help"]


def test_departures_are_told_where_they_are_chosen() -> None:
    by_path = {field["path"]: field["departures"] for field in MADE}
    assert by_path["ties.gradient"] == [0]
    assert by_path["ties.on_untie"] == [1, 2]
    assert by_path["model.layers"] == []


@pytest.mark.parametrize("setting", settings_of(RunConfig), ids=lambda setting: setting.path)
def test_sentences_of_a_form_have_labels_in_place_of_names(setting: Setting) -> None:
    said = in_labels(f'Expected {setting.path} and {setting.name}="a" (--{setting.name} X), or {setting.path}=3.')
    label = f"\u201c{label_of(setting)}\u201d"
    other = f"{setting.path} and" if not setting.group else f"{label} and"
    assert said == f'Expected {other} {label} = "a", or {label} = 3.'


def test_another_text_is_read_without_the_column_of_the_one_before() -> None:
    draft = change(change(Draft(), "text.corpus", "/a.csv"), "text.column", "body")
    assert change(draft, "text.corpus", "/a.csv").changes == draft.changes
    assert change(draft, "text.corpus", "/b.csv").changes == {"text.corpus": "/b.csv"}
    assert back_to_preset(change(draft, "model.layers", "6")).changes == draft.changes
    query = dict(reversed(to_query(draft).items()))
    assert from_query(query)[0].changes == draft.changes


def test_a_field_knows_its_preset_value() -> None:
    draft = change(change(Draft(), "scale", "tiny"), "decisions", "8")
    shown = next(entry for entry in fields(draft) if entry["path"] == "decisions")
    assert (shown["value"], shown["preset"], shown["changed"]) == ("8", "30", True)


def test_another_algorithm_brings_its_own_settings_and_keeps_the_rest() -> None:
    draft = Draft()
    for path, value in {"reward.kind": "improvement-over-trend", "seed": "7", "training.learning_rate": "0.01"}.items():
        draft = change(draft, path, value)
    official = change(draft, "algorithm", "official-code")
    assert set(official.changes) == {"seed", "training.learning_rate"}
    assert config_of(official).reward == RunConfig.preset("laptop", algorithm="official-code").reward
    assert set(change(draft, "scale", "tiny").changes) == set(draft.changes)
    assert set(back_to_preset(official).changes) == {"seed"}
