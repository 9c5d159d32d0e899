"""Settings: presets, replacement by name, the round trip through JSON, and what is refused."""

from __future__ import annotations

import json
import math
from itertools import product

import pytest

from layertie_lab import RunConfig
from layertie_lab.core.errors import ConfigError
from layertie_lab.core.presets import ALGORITHMS, SCALES
from layertie_lab.core.serialize import Setting, changed, settings_of, value_at


@pytest.mark.parametrize(("scale", "algorithm"), list(product(SCALES, ALGORITHMS)))
def test_presets_round_trip_through_json(scale: str, algorithm: str) -> None:
    config = RunConfig.preset(scale, algorithm=algorithm)
    assert RunConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert (config.scale, config.algorithm) == (scale, algorithm)


def test_every_setting_has_one_name_and_a_sentence() -> None:
    settings = settings_of(RunConfig)
    names = [setting.name for setting in settings]
    assert len(names) == len(set(names))
    assert all(setting.help.endswith(".") for setting in settings)


def test_settings_are_replaced_by_their_own_name() -> None:
    config = RunConfig.preset("tiny", seed=3, layers=6, corpus="stdlib")
    assert (config.seed, config.model.layers, config.text.corpus) == (3, 6, "stdlib")
    assert changed(config, RunConfig.preset("tiny")) == {"seed": 3, "model.layers": 6, "text.corpus": "stdlib"}


def test_the_hash_names_what_decides_the_numbers() -> None:
    config = RunConfig.preset("tiny")
    assert config.hash == RunConfig.preset("tiny", checkpoint_seconds=99.0).hash
    assert config.hash != RunConfig.preset("tiny", seed=1).hash


def test_a_map_has_one_hash_however_it_is_typed_and_without_one_it_is_as_before() -> None:
    maps = [RunConfig.preset("tiny", policy="map", map=text) for text in ("0 0 2 2", "0,0,2,2", "[0, 0, 2, 2]")]
    assert {(config.agent.map, config.hash) for config in maps} == {("0 0 2 2", maps[0].hash)}
    assert maps[0].hash != RunConfig.preset("tiny", policy="map", map="0 0 0 0").hash
    before = RunConfig.preset("tiny").to_dict()
    del before["agent"]["map"]
    assert RunConfig.from_dict(before) == RunConfig.preset("tiny")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"heads": 5}, "divides the width"),
        ({"layers": 1}, "between 2 and"),
        ({"corpus": 3}, "to be text"),
        ({"width": 8.5}, "a whole number"),
        ({"nonsense": 1}, "a setting's name"),
        ({"dropout": 1.0}, "below 1"),
        ({"learning_rate": 0.0}, "above 0"),
        ({"device": "gpu"}, "a device out of"),
        ({"on_untie": "alias", "moments": "keep"}, "snapshot"),
        ({"moments": "keep"}, "on_untie"),
        ({"gradient": "both"}, "one of shared, owner"),
        ({"split": "test"}, "does not see the test split"),
        ({"selection_split": "test"}, "chosen on validation"),
        ({"blocks": 99}, "at most"),
        ({"policy": "map"}, "a tie map with policy=map, but got none"),
        ({"policy": "map", "map": " "}, "a tie map as agent.map"),
        ({"policy": "map", "map": "0 0 2"}, "12 sources in agent.map, one per layer, but got 3: 0 0 2"),
        ({"policy": "map", "map": "0 2", "layers": 2}, "agent.map.*but got source 2"),
        ({"policy": "map", "map": "runs/first"}, "agent.map.*whole numbers.*but got 'runs/first'"),
        ({"policy": "map", "map": [0, 0]}, "agent.map to be text"),
        ({"map": "0 0 2"}, "agent.map with policy=map alone, but got it with policy=lab"),
        ({"positions": "rotary", "width": 6, "heads": 2}, "even head size"),
        ({"vocabulary_size": 10}, "between 256 and"),
        ({"decisions": 0}, "between 1 and"),
    ],
)
def test_bad_settings_are_refused_in_a_sentence(changes: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        RunConfig.preset("laptop", **changes)
    assert "Expected" in str(caught.value)
    assert "but" in str(caught.value)


NUMBERS = [setting for setting in settings_of(RunConfig) if setting.kind in (int, float)]


@pytest.mark.parametrize("setting", NUMBERS, ids=lambda setting: setting.path)
def test_every_number_has_a_range_and_what_is_outside_is_refused(setting: Setting) -> None:
    allowed = setting.range
    assert allowed is not None
    assert setting.default in allowed
    below = [allowed.low - 1] if allowed.low is not None else []
    above = [allowed.high + 1] if allowed.high is not None else []
    outside = [*below, *above, *(bound for bound in (allowed.above, allowed.below) if bound is not None)]
    assert allowed.bounded
    far = [math.nan, math.inf, -math.inf] if setting.kind is float else [2**63, -(2**63), 10**24]
    for value in [*outside, *far]:
        if isinstance(value, float) and abs(value) > 1e15 and value in (allowed.low, allowed.high):
            continue  # one more than so large a number is the same number
        assert value not in allowed
        with pytest.raises(ConfigError) as caught:
            RunConfig().replace(**{setting.path.replace(".", "__"): setting.kind(value)})
        assert f"Expected {setting.path} to be {allowed.words}" in caught.value.message
        assert f"but got {setting.kind(value)!r}" in caught.value.message
        assert f"{setting.default} (the default)" in caught.value.remedy


COMPANIONS = {
    "model.width": {"heads": 1},
    "model.heads": {"width": 1_024},
    "agent.blocks": {"layers": 1_024},
    "agent.owners": {"layers": 1_024},
}
"""What lets a setting reach its bounds."""


def test_the_bounds_themselves_may_stand() -> None:
    for setting in NUMBERS:
        assert setting.range is not None
        for bound in (setting.range.low, setting.range.high):
            if bound is not None:
                changes = {setting.path.replace(".", "__"): bound, **COMPANIONS.get(setting.path, {})}
                assert value_at(RunConfig().replace(**changes), setting.path) == bound


def test_unknown_scale_and_algorithm() -> None:
    with pytest.raises(ConfigError, match="a scale out of"):
        RunConfig.preset("huge")
    with pytest.raises(ConfigError, match="an algorithm out of"):
        RunConfig.preset("tiny", algorithm="magic")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("learningrate", "Did you mean training.learning_rate or agent.q_learning_rate?"),
        ("training__learning_rte", "Did you mean training.learning_rate?"),
        ("agent.split", "Did you mean reward.split or text.splits?"),
        ("text__zzz", "Settings of text: corpus, column, tokenizer, vocabulary_size, limit_bytes, splits, chunk_end."),
        ("zzz", "`layertie train --help` lists the settings; so does RunConfig().to_dict()."),
    ],
)
def test_a_name_that_is_none_is_refused_with_those_that_are_close(name: str, remedy: str) -> None:
    with pytest.raises(ConfigError, match="a setting's name") as refused:
        RunConfig.preset("tiny", **{name: 1})
    assert refused.value.remedy == remedy
