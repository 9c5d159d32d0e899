"""The tab "Compare": any runs, branches and sweeps side by side, and a sweep that is made from the page."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...core.descriptions import Description
from ...core.errors import LayertieError
from ...core.notices import Entry, StatusChanged
from ...widgets.comparing.compare_answer import CompareAnswer
from ...widgets.comparing.compare_list import CompareList
from ...widgets.comparing.sweep_panel import SweepPanel
from ...widgets.layout import Part, Rows, Tabbed
from ...widgets.pictures import Pictures
from ...widgets.rows_table import RowsTable
from ...workers.sweep import Progress, Swept
from ..comparison import shipped, sweeping
from ..comparison.answer import CURVES, GROUPS, MAPS, SEEDS, SIZE, TITLES, Answer, Wish, answer
from ..comparison.entries import Entry as Comparable
from ..comparison.entries import entries, shipped_entries
from ..tab import Page, Tab
from ..weakly import weakly
from .registry import TABS

ABOUT = "Runs, branches and sweeps side by side: differences with their intervals, curves, sizes and tie maps."
CHOICES = {
    "at": (
        "at equal",
        {
            "steps": "steps",
            "tokens": "tokens",
            "time": "seconds of training",
            "flops": "FLOPs",
            "parameters": "parameters (at most)",
        },
    ),
    "metric": (
        "by",
        {
            "validation-loss": "held-out loss",
            "perplexity": "perplexity",
            "bits-per-byte": "bits per byte",
            "train-loss": "training loss",
        },
    ),
    "groups": ("with", {"together": "seeds in one group", "apart": "each run by itself"}),
}
"""What a person chooses beside the runs."""
NOTHING = "Nothing is chosen yet. Tick runs above; those that differ in their seed alone become one group."
_WORK = ThreadPoolExecutor(1, thread_name_prefix="layertie compare")
"""What reads runs for this tab, one at a time: training is what the cores are for."""


@TABS.register(Description("compare", "Compare", ABOUT))
class Compare(Tab):
    """The list, the form of a sweep, the sentence, and the pictures."""

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self.examples = page.examples or shipped.folder("examples")
        self.comparison = page.comparison or shipped.folder(shipped.FOLDER)
        self.making = sweeping.Making()
        self._known: dict[str, Comparable] = {}
        self._wish, self._asked, self._seen, self._listing = Wish(), 0, False, False
        self._before: int | None = None
        self._lock = threading.RLock()
        self.list = CompareList(offer=shipped.QUESTION if self.comparison is not None else "")
        self.form = SweepPanel(sweeping.fields())
        self.answer = CompareAnswer(CHOICES, headline="", where=NOTHING)
        self.pictures = {title: Pictures(columns=1) for title in (SEEDS, SIZE, CURVES, MAPS)}
        self.table = RowsTable(GROUPS)
        self.list.on_press(self._press)
        self.form.on_press(self._sweep)
        self.answer.on_choose(self._choose)

    @property
    def layout(self) -> Part:
        return Rows((self.list, self.form, self.answer, Tabbed({**self.pictures, "Groups": self.table})))

    def show(self) -> None:
        self.refresh()

    def begin(self) -> None:
        self.offer()

    def heard(self, entry: Entry) -> None:
        if isinstance(entry, StatusChanged) and entry.status == "finished":
            self.refresh()

    def leave(self) -> None:
        self.making.cancel()

    def end(self) -> None:
        self.making.cancel()

    # -- the list ----------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Read again what there is, in a thread, once somebody has looked at the list."""
        with self._lock:
            wanted, self._listing = self._seen and not self._listing, self._seen
        if wanted:
            future = _WORK.submit(entries, self.page.root, self.examples, self.comparison)
            future.add_done_callback(weakly(self._listed))

    def offer(self) -> None:
        """Show the comparison that ships, the agent against chance: what the button does.

        Raises:
            LayertieError: It is not there, or cannot be read.
        """
        if self.comparison is None:
            raise LayertieError("Expected the comparison that ships, but it is not there.", "Run a sweep.")
        found = shipped_entries(self.comparison)[0]
        if not found.can_choose:
            raise LayertieError(found.note)
        with self._lock:
            self._known = {**self._known, found.id: found}
        self._wish = Wish()
        self.answer.show(chosen={name: next(iter(values)) for name, (_, values) in CHOICES.items()})
        self.list.show(folded=self.list.folded + 1)
        self._take([found.id])

    def _listed(self, done: Future[list[Comparable]]) -> None:
        self._listing = False
        if (error := done.exception()) is not None:
            self.list.show(sentence=str(error), alarm=True, ready=True)
            return
        found = done.result()
        with self._lock:  # so that a box that is ticked meanwhile stays ticked
            before, self._known = self._known, {entry.id: entry for entry in found}
            chosen = [id for id in self.list.chosen if id in self._known and self._known[id].can_choose]
            gone = [before[id].name for id in self.list.chosen if id not in chosen and id in before]
            self.list.show(entries=[entry.row for entry in found], chosen=chosen, ready=True)
        if gone:
            self.list.show(sentence=f"{', '.join(gone)} cannot be compared any more, and is taken back.", alarm=True)
            self._compare()

    def _press(self, kind: str, message: Mapping[str, Any]) -> None:
        match kind:
            case "list":
                self._seen = True
                self.refresh()
            case "clear":
                self._take([])
            case "offer":
                self.offer()
            case "choose":
                entry = self._entry(message["entry"])
                if message["on"] and not entry.can_choose:
                    raise LayertieError(f"Expected what can be compared, but {entry.name} cannot.", entry.note)
                with self._lock:
                    chosen = [id for id in self.list.chosen if id != entry.id]
                    self._take([*chosen, entry.id] if message["on"] else chosen)
            case "resume":
                self._go_on(self._entry(message["entry"]))

    def _entry(self, id: str) -> Comparable:
        if id not in self._known:
            raise LayertieError("Expected an entry of the list, but got another.", "Choose one of the list.")
        return self._known[id]

    # -- the comparison ----------------------------------------------------------------------------------------------

    def _take(self, chosen: list[str]) -> None:
        self.list.show(chosen=chosen)
        self._compare()

    def _choose(self, name: str, value: str) -> None:
        match name:
            case "first":
                other = self._wish.other if self.answer.other == value else self.answer.other
                self._wish = replace(self._wish, first=value, other=self.answer.first if other == value else other)
            case "other":
                self._wish = replace(self._wish, first=self.answer.first, other=value)
            case "groups":
                self._wish = replace(self._wish, apart=value == "apart", first="", other="")
            case "at" | "metric":
                self._wish = replace(self._wish, **{name: value})
        if name in CHOICES:
            self.answer.show(chosen={**self.answer.chosen, name: value})
        self._compare()

    def _compare(self) -> None:
        with self._lock:
            self._asked += 1
            chosen = [self._known[id] for id in self.list.chosen if id in self._known]
            asked, wish = self._asked, self._wish
        if not chosen:
            self._show(Answer(""), where=NOTHING)
            return
        self.answer.show(busy=True)
        future = _WORK.submit(answer, chosen, wish)
        future.add_done_callback(weakly(self._answered, asked))

    def _answered(self, asked: int, done: Future[Answer]) -> None:
        if asked != self._asked:
            return  # something else is wanted by now
        if (error := done.exception()) is not None:
            self.answer.show(busy=False, headline=str(error), alarm=True, told="", where="")
            return
        self._show(done.result())

    def _show(self, found: Answer, where: str = "") -> None:
        self.answer.show(
            busy=False,
            alarm=False,
            headline=found.headline,
            told=found.told,
            where=where or found.where,
            groups=[row["group"] for row in found.groups],
            first=found.first,
            other=found.other,
            offered=list(CHOICES) if found.has_curves else [],
            left_out=found.left_out,
            notes=found.notes,
        )
        for title, panel in self.pictures.items():
            panel.set({TITLES[title]: found.pictures[title]} if title in found.pictures else {})
        self.table.set(found.groups)

    # -- a sweep -----------------------------------------------------------------------------------------------------

    def _sweep(self, kind: str, values: dict[str, Any]) -> None:
        if kind == "cancel":
            self.making.cancel()
            if self.making.path is not None:
                self.form.show(share=-1.0, sentence="Ending; what is under way is saved.", alarm=False)
            return
        planned = sweeping.read(values)
        self.form.show(wrong=planned.wrong, plan=planned.sentence, sentence="", alarm=False)
        if planned.wrong:
            return
        if kind == "draft":
            future = _WORK.submit(sweeping.duration, self.page.root, planned.configs)
            future.add_done_callback(weakly(self._estimated, planned.sentence))
            return
        if self.making.path is not None:
            raise LayertieError("Expected one sweep at a time, but one runs.", "Wait for it, or cancel it.")
        self._begin(sweeping.write_plan(self.page.root, planned.configs))

    def _estimated(self, sentence: str, done: Future[str]) -> None:
        if done.exception() is None and self.form.plan == sentence:
            self.form.show(plan=sentence + done.result())

    def _go_on(self, entry: Comparable) -> None:
        if not entry.can_resume:
            raise LayertieError(f"Expected a sweep that can be gone on with, but {entry.name} cannot.", "Choose one.")
        self._begin(entry.place)

    def _begin(self, path: Path) -> None:
        self._before = None
        self.making.begin(path, weakly(self._watch), weakly(self._ended))
        self.form.show(share=-1.0, sentence=f"{path.name}: its first runs begin.", alarm=False)
        self._seen = True
        self.refresh()

    def _watch(self, progress: Progress) -> None:
        if self._before is None:
            self._before = progress.decisions
        if not self.making.cancelled:
            share = progress.decisions / progress.budget if progress.decisions else -1.0
            self.form.show(share=share, sentence=sweeping.how_far(progress, self._before))

    def _ended(self, path: Path, came: Swept | LayertieError) -> None:
        """A sweep has come to its end, in its thread: what it says is the answer."""
        if isinstance(came, LayertieError):
            self.form.show(share=None, sentence=str(came), alarm=True)
            self.refresh()
            return
        failed = " ".join(f"{name} failed: {why}" for name, why in came.failures.items())
        done = sum(status == "finished" for status in came.results["status"])
        words = f"{path.name}: {done} of {came.results.height} runs are finished."
        if came.stopped:
            words = f"Cancelled. {words} Go on in the list continues it."
        self.form.show(share=None, sentence=" ".join(filter(None, (words, failed))), alarm=bool(failed))
        _WORK.submit(entries, self.page.root, self.examples, self.comparison).add_done_callback(
            weakly(self._listed_and_compared, f"sweep/{path.name}", not came.stopped)
        )

    def _listed_and_compared(self, id: str, shown: bool, done: Future[list[Comparable]]) -> None:
        self._listed(done)
        if id in self._known and (shown or id in self.list.chosen):
            self._wish = replace(self._wish, first="", other="")
            self.list.show(folded=self.list.folded + 1)
            self._take([id])
