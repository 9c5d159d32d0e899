"""The views of the tab "Look inside": their buttons and choices, and what they show besides pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from ..inspection.words import answer, probe, sentences
from ..widgets.ask_panel import AskPanel
from ..widgets.pictures import Pictures
from ..widgets.rows_table import Column, RowsTable
from ..widgets.token_text import TokenText

Found = Mapping[str, Any]

_METHODS = ("skipped", "conductance", "integrated-gradients", "internal-influence", "feature-ablation", "deeplift")
_BASELINES = {
    "zero": "zero embedding",
    "mean": "mean embedding",
    "pad": "commonest token everywhere",
}
_COST_COLUMNS = (
    Column("layer", "layer", "The layer whose tie would change", number=True),
    Column("answer", "answer", "Which layer's weights it would use"),
    Column("present", "now", "Whether it is so now"),
    Column("change", "change of the loss", "Nats per token, on the probe set, nothing trained", number=True, digits=4),
    Column("low", "from", "Lower end of the interval over probe sequences", number=True, digits=4),
    Column("high", "to", "Upper end of the interval over probe sequences", number=True, digits=4),
    Column("q_value", "agent's value", "Units of reward; empty where the agent has none", number=True, digits=4),
)
_MEMORY_COLUMNS = (
    Column("map", "ties", "Untied, as it is, or all tied"),
    Column("when", "when", "Between two steps, at a step's fullest moment, or each component at its own most"),
    Column("kind", "kind", "Counted from tensors, measured in a step of a copy, or predicted from shapes"),
    Column("component", "component", "What the bytes are"),
    Column("mb", "MB", "Millions of bytes", number=True, digits=3),
)


@dataclass(frozen=True)
class Ask:
    """What a button asks.

    Args:
        view: The view's name (`inspection.views.VIEWS`).
        options: Of the view.
        back: Decisions before the moment on the page: what the agent saw before a decision is stored with the last.
    """

    view: str
    options: Mapping[str, Any] = field(default_factory=dict)
    back: int = 0


@dataclass(eq=False)
class Tab:
    """A view on the page.

    Args:
        title: Of the inner tab that it stands under.
        asks: Name of a button -> what it asks. A tab without a button on the page has one entry all the same.
        panel: Its buttons and sentence.
        pictures: Its charts.
        text: Its text with tokens to pick.
        table: Its table.
    """

    title: str
    asks: Mapping[str, Ask]
    panel: AskPanel
    pictures: Pictures
    text: TokenText | None = None
    table: RowsTable | None = None
    seen: bool = False
    chosen: str = ""
    future: Future[Any] | None = None
    shown: tuple[Any, ...] = ()

    @property
    def widgets(self) -> list[Any]:
        """From top to bottom."""
        return [widget for widget in (self.panel, self.text, self.pictures, self.table) if widget is not None]

    @property
    def button(self) -> str:
        """The button pressed last, or the first."""
        return self.chosen or next(iter(self.asks))

    def clear(self) -> None:
        """Another run is on the page."""
        self.shown = ()
        self.pictures.set({})
        if self.text is not None:
            self.text.set([], [])
        if self.table is not None:
            self.table.set([])
        self.panel.show(sentence="", alarm=False, share=None, can_ask=False, text="", lead="")

    def show(self, found: Found) -> None:
        """Show an answer."""
        facts = found["facts"]
        self.pictures.set(found["pictures"])
        if "prompt" in facts:
            words, lead = facts["text"], facts["prompt"]
        else:
            words, lead = "\n".join(sentences(facts)), ""
        if self.text is not None:
            _TEXTS[facts["view"]](self.text, found)
        if self.table is not None:
            _TABLES[facts["view"]](self.table, found)
        self.panel.show(share=None, alarm=False, sentence=probe(facts), text=words, lead=lead)


def make_tabs() -> dict[str, Tab]:
    """Name -> tab, in the order of the page."""
    return {
        "similarity": _tab(
            "Similarity",
            {
                "Compare layers": Ask("similarity"),
                "What each layer adds": Ask("profile"),
                "Their weights, one by one": Ask("weights"),
            },
            repeats="Compare again",
        ),
        "attribution": _tab(
            "Attribution",
            {
                "Attribute the loss": Ask("attribution"),
                "Other weights in its place": Ask("attribution", {"methods": ["skipped", "replaced"]}),
                "All methods": Ask("attribution", {"methods": list(_METHODS)}),
            },
            choices={"baseline": ("Against", _BASELINES)},
        ),
        "tokens": _tab("Tokens", {"Predict each token": Ask("tokens")}, columns=2, text=TokenText("The probe set")),
        "token": _tab("Tokens", {"": Ask("token")}, text=TokenText("What the picked token's prediction rests on")),
        "costs": _tab(
            "What ties cost",
            {"Try every change of a tie": Ask("costs")},
            columns=2,
            table=RowsTable(_COST_COLUMNS, by="change"),
        ),
        "reasons": _tab(
            "Reasons", {"Why this decision": Ask("reasons", back=1), "What it would answer next": Ask("reasons")}
        ),
        "memory": _tab(
            "Memory", {"Follow a step's memory": Ask("memory")}, columns=2, table=RowsTable(_MEMORY_COLUMNS, by="map")
        ),
        "sample": _tab("Text", {"Write a text": Ask("sample")}),
    }


def _tab(
    title: str,
    asks: Mapping[str, Ask],
    *,
    columns: int = 3,
    text: TokenText | None = None,
    table: RowsTable | None = None,
    **options: Any,
) -> Tab:
    panel = AskPanel({words: words for words in asks if words}, cancellable=True, **options)
    return Tab(title, asks, panel, Pictures(columns=columns), text, table)


def _tokens(text: TokenText, found: Found) -> None:
    facts, rows = found["facts"], found["frames"]["tokens"]
    pieces, names = facts["pieces"], facts["names"]
    values: list[list[float | None]] = [[None] * len(row) for row in pieces]
    tips = [["The first token: nothing predicts it."] * len(row) for row in pieces]
    for row, likeliest in zip(rows, names, strict=True):
        sequence, token = row["sequence"], row["position"] + 1
        values[sequence][token] = row["loss"]
        guesses = ", ".join(
            f"{name} {share:.2f}" for name, share in zip(likeliest, row["top_probability"], strict=True)
        )
        tips[sequence][token] = f"loss {row['loss']:.2f} nats, rank {row['rank']}; likeliest: {guesses}"
    text.set(
        pieces,
        values,
        tips,
        legend="loss of each token (nats): dark is badly predicted. Click one to see why.",
        picked=(text.picked[0], text.picked[1]) if text.picked else None,
    )


def _token(text: TokenText, found: Found) -> None:
    facts, shares = found["facts"], found["frames"]["shares"]
    values: list[float | None] = [None] * len(facts["pieces"])
    tips = ["Not read yet where the token is predicted."] * len(values)
    for row in shares:
        values[row["position"]] = row["value"]
        tips[row["position"]] = f"{row['value']:+.3g} nats"
    picked, first = facts["position"], shares[0]
    tips[picked] = "The token that is predicted."
    legend = (
        "share of each token read in the loss of the picked one (nats, integrated gradients from a zero embedding): "
        f"orange lowers the loss. In all {first['total']:+.3g}, completeness error {first['completeness_error']:.2g}."
    )
    text.set([facts["pieces"]], [values], [tips], legend=legend.replace("-", "\u2212"), picked=(0, picked))


def _costs(table: RowsTable, found: Found) -> None:
    rows = [
        {**row, "answer": answer(row["layer"], row["answer"]), "present": "as it is" if row["present"] else ""}
        for row in found["frames"]["costs"]
    ]
    table.set(rows, f"{len(rows)} answers; press a heading to sort.")


def _memory(table: RowsTable, found: Found) -> None:
    totals: dict[tuple[str, str, str, str], float] = {}
    for row in found["frames"]["memory"]:
        key = row["map"], row["when"], row["kind"], row["component"]
        totals[key] = totals.get(key, 0.0) + row["bytes"] / 1e6
    table.set(
        [{"map": m, "when": when, "kind": kind, "component": c, "mb": mb} for (m, when, kind, c), mb in totals.items()],
        "Sums over layers; press a heading to sort.",
    )


_TEXTS: dict[str, Callable[[TokenText, Found], None]] = {"tokens": _tokens, "token": _token}
_TABLES: dict[str, Callable[[RowsTable, Found], None]] = {"costs": _costs, "memory": _memory}
