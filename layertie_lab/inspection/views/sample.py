"""The view sample: what the model writes, alone or beside another.

What computes and what draws is imported in the functions (see `registry`).
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Any

from ...core.errors import CorpusError, OptionError
from ...core.sampling import LENGTHS, TEMPERATURE, TEMPERATURES
from ..ticks import Tick, part
from ..words import action, moment
from .registry import VIEWS, Ask, Facts, Field, Found, View, ViewDescription, WrittenText
from .tokens import visible

if TYPE_CHECKING:
    from ..moment import Inspection
    from ..probe import Probe

_PROMPT = Field(
    "prompt",
    "Prompt",
    help="Empty: the start of the validation text. Longer than the model's context: its end is read.",
)
_TEMPERATURE = Field(
    "temperature", "Temperature", TEMPERATURE, "From 0, the likeliest token each time, to 10.", TEMPERATURES
)
_TOKENS = Field("tokens", "Tokens", 200, "How many it writes, up to 10,000.", LENGTHS)


@VIEWS.register(
    ViewDescription(
        "sample",
        "What it writes",
        about="What the model writes.",
        tab="Text",
        asks=(Ask("Write a text"), Ask("Before and after the decision", {"before": True})),
        reads_probe=False,
        options=("other", "before"),
        fields=(_PROMPT, _TEMPERATURE, _TOKENS),
        writes=True,
    )
)
class Sample(View):
    """A prompt, or the start of the validation text, continued by the model.

    Options: prompt; temperature; tokens (how many it writes); other ({"run": directory, "decision": after which}),
    another model that continues the same tokens with the same draws; before, in its place the same run at the last
    stored moment before.

    Facts: `prompt` (the part of it that the model reads), `text`, and where it is longer than the context `unread` and
    `read` (how many of its tokens are not, and are). With another model `other`, `other_layers`, `other_text`, `same`
    (how many tokens are, up to the first that is not), `same_text`, `next` (that token of each, as it may be shown; []
    where there is none) and with `before` also `between` (what lies between the two).
    """

    def find(self, inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> Found:
        from ...session.continuation import prompt_ids
        from ..comparable import check_comparable, named, other_of

        asked = {field.option: field.read(options.get(field.option)) for field in (_PROMPT, _TEMPERATURE, _TOKENS)}
        tokens, drawn = asked["tokens"], {"temperature": asked["temperature"], "seed": inspection.draws}
        other = inspection.before() if options.get("before") else other_of(options)
        if other is not None:
            check_comparable(inspection.config, other.config)
        try:
            ids = prompt_ids(inspection.data, asked["prompt"])
        except CorpusError as error:
            raise OptionError(_PROMPT.option, error.message, error.remedy) from None
        tokenizer, context = inspection.data.tokenizer, inspection.model.context
        mine = inspection.continued(ids, tokens, **drawn, tell=part(tick, 0.0, 0.5 if other else 1.0))
        facts: dict[str, Any] = {"prompt": tokenizer.decode(ids[-context:]), "text": tokenizer.decode(mine)}
        if len(ids) > context:
            facts["unread"], facts["read"] = len(ids) - context, context
        if other is None:
            return {"frames": {}, "facts": facts}
        theirs = other.continued(ids, tokens, **drawn, tell=part(tick, 0.5, 1.0))
        same = next((place for place, pair in enumerate(zip(mine, theirs, strict=True)) if len({*pair}) > 1), tokens)
        facts["other_text"] = tokenizer.decode(theirs)
        facts["same"] = same
        # A token may be a part of a character, which is no text of its own.
        facts["same_text"] = _alike(tokenizer.decode(mine[:same]), facts["text"], facts["other_text"])
        facts["next"] = [tokenizer.token_text(each[same]) for each in (mine, theirs)] if same < tokens else []
        if options.get("before"):
            facts["between"] = _between(inspection, other)
        return {"frames": {}, "facts": named(inspection, other) | facts}

    def words(self, facts: Facts) -> list[str]:
        said = []
        if "unread" in facts:
            whole = facts["unread"] + facts["read"]
            said.append(
                f"The model reads the last {facts['read']:,} of the prompt's {whole:,} tokens, as many as its context "
                "holds."
            )
        if not any(facts.get(text, "").strip() for text in ("text", "other_text")):
            said.append("Nothing but spaces and line ends was written.")
        if "other" not in facts:
            return said
        if "between" in facts:
            said.append(facts["between"])
        return [*said, _difference(facts)]

    def written(self, facts: Facts) -> list[WrittenText]:
        if "other" not in facts:
            return [WrittenText("", facts["prompt"], facts["text"])]
        texts = facts["text"], facts["other_text"]
        titles = f"This run {moment(facts['decision'])}", f"{facts['other'][:1].upper()}{facts['other'][1:]}"
        if "between" in facts:
            titles = f"After: this run {moment(facts['decision'])}", f"Before: {facts['other']}"
        same = facts["same_text"] if facts["next"] else facts["text"]
        pairs = [
            WrittenText(title, facts["prompt"], same, text[len(same) :])
            for title, text in zip(titles, texts, strict=True)
        ]
        return pairs[::-1] if "between" in facts else pairs


def _alike(*texts: str) -> str:
    """What texts begin with, all of them."""
    places = takewhile(lambda characters: len({*characters}) == 1, zip(*texts, strict=False))
    return "".join(characters[0] for characters in places)


def _difference(facts: Facts) -> str:
    """From where on the two texts differ."""
    same = facts["same"]
    if not facts["next"]:
        return f"Both wrote the same {same} token{'' if same == 1 else 's'}, drawn with the same random numbers."
    begin = f"The first {same} tokens are the same" if same > 1 else "The first token is the same" if same else ""
    mine, theirs = (f'"{visible(piece)}"' for piece in facts["next"])
    writers = ("the model after", "the one before") if "between" in facts else ("this model", "the other")
    told = f"{writers[0]} wrote {mine} where {writers[1]} wrote {theirs}, with the same random numbers."
    return f"{begin}; from the next on they differ: {told}" if begin else f"They differ at once: {told}"


def _between(inspection: Inspection, before: Inspection) -> str:
    """What happened between two moments of a run."""
    changed = [
        f"layer {layer} {action(layer, now)} ({action(layer, then)} before)"
        for layer, (then, now) in enumerate(zip(before.ties, inspection.ties, strict=True))
        if then != now
    ]
    steps = inspection.step - before.step
    trained = f"{steps} step{'' if steps == 1 else 's'} of training"
    return f"Between the two: {', '.join(changed) or 'no tie changed'}; {trained}."
