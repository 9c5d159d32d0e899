"""Flags that nothing would heed, or whose number or order would change what is run, are refused."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from layertie_lab.cli import arguments, main
from layertie_lab.cli.typed import flags_of, ranges_of

COMMANDS = [kind for kind in get_args(arguments.Command) if isinstance(kind, type)]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda kind: kind.__name__.lower())
def test_every_number_of_a_command_has_a_range_on_both_sides(command: type) -> None:
    hints, ranges = get_type_hints(command), ranges_of(command)
    for entry in fields(command):
        kinds = set(get_args(hints[entry.name])) or {hints[entry.name]}
        if kinds & {int, float}:
            assert ranges[entry.name][0].bounded, f"{command.__name__}.{entry.name}"


def test_flags_are_read_as_they_were_typed() -> None:
    assert flags_of(["train", "--other_at=3", "--no-bias", "x", "--", "-h", "--json"]) == ["other-at", "bias", "json"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("train --algorithm lab --algorithm paper", "--algorithm once"),
        ("train --scale tiny --seed 3 --scale=laptop", "--scale once"),
        ("replay RUN --edit 1=1 --edit 2=0", "--edit once"),
        ("sweep --vary layers=4 --vary seed=1", "--vary once"),
        ("replay --seed 3 RUN", "the run right after the word replay"),
        ("replay RUN --algorithm paper", "--algorithm, which would change the new run's name"),
        ("replay RUN --scale tiny", "--scale, which would change the new run's name"),
        ("audit RUN --seed 3", "no --seed with a run"),
        ("audit RUN --decisions 3 --corpus pydoc", "no --decisions and --corpus with a run"),
        ("branch RUN --tree --undo", "no --undo with --tree"),
        ("branch RUN --tree --why x --decision 2", "no --why and --decision with --tree"),
        ("twins RUN --list --resume study-001", "no --resume with --list"),
        ("twins RUN --list --text a.txt", "no --text with --list"),
        ("twins RUN --resume study-001 --horizon 3", "no --horizon with --resume"),
        ("twins RUN --open-ended --looks 4 8", "no --looks with --open-ended"),
        ("twins RUN --pilot 4 --open-ended", "no --pilot with --open-ended"),
        ("sweep --resume --directory x --decisions 5", "no --decisions with --resume"),
        ("sweep --resume --directory x --reference cycle --policies lab", "no --policies with --resume"),
        ("sweep --summarize --directory x --seeds 1 2", "no --seeds with --summarize"),
        ("sweep --summarize --resume --directory x", "no --resume with --summarize"),
        ("sweep --policy lab", "Write --policies lab"),
        ("sweep --seed 0", "Write --seeds 0"),
        ("resume RUN --decisions 0", "--decisions to be between 1 and"),
        ("show RUN --at 99999999999999999999", "--at to be between 0 and"),
        ("sweep --seeds 1 -4", "--seeds to be between 0 and"),
        ("twins RUN --looks 4 99999", "--looks to be between 1 and"),
    ],
)
def test_refused(words: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word.replace("RUN", str(tmp_path)) for word in words.split()]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert said in told
    assert told.count("layertie:") == 1
    assert not list(tmp_path.iterdir())
