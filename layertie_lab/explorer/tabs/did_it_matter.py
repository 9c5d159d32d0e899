"""The tab "Did it matter?": a hypothesis stated before, the paired runs that test it, and the tree of branches."""

from __future__ import annotations

import threading
import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...core.commands import Save
from ...core.descriptions import Description
from ...core.errors import LayertieError
from ...core.events import DecisionMade
from ...core.notices import Entry, StatusChanged
from ...counterfactual.runner import StudyProgress, StudyRunner
from ...counterfactual.study import Study
from ...records.tree import moment_name
from ...widgets.branch_tree import BranchTree
from ...widgets.forms.hypothesis_panel import HypothesisPanel
from ...widgets.layout import Pair, Part, Rows
from ...widgets.live.live_chart import LiveChart
from ...widgets.study_list import StudyList
from ...workers.limits import check_room
from .. import counterfactual_words as inquiries
from .. import study_form, study_times, study_watch
from ..study_form import PRESENT
from ..tab import Page, Tab
from ..terms import place_of
from ..weakly import weakly
from .registry import TABS

_WORK = ThreadPoolExecutor(1, thread_name_prefix="layertie studies")
"""What reads a run's files for this tab, one at a time: training is what the cores are for."""


_every: weakref.WeakSet[Running] = weakref.WeakSet()


class Running:
    """The study that runs, apart from the tab, so that it can be ended when the tab is gone."""

    def __init__(self) -> None:
        self.runner: StudyRunner | None = None
        self.cancelled = False
        _every.add(self)

    @property
    def name(self) -> str:
        """The study that runs; "" if none does."""
        going = self.runner is not None and self.runner.progress.state == "running"
        return self.runner.study.name if going and self.runner is not None else ""

    def cancel(self) -> None:
        """End it, or one that is being stated; what has finished is kept."""
        self.cancelled = True
        if self.runner is not None:
            self.runner.cancel()


@TABS.register(
    Description("did-it-matter", "Did it matter?", "Whether an action mattered, from runs that differ in it alone.")
)
class DidItMatter(Tab):
    """The form of a hypothesis, its paired runs, the list of studies and the tree of branches."""

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self.running = Running()
        self._shown: str | None = None
        self._seen = False
        self._fillings = 0
        self._drawn = -1
        self._told = False
        self._about: tuple[int, int] | None = None
        self._going: list[study_watch.Going] = []
        self._traces: study_watch.Traces = {}
        self._pair_pace = 0.0
        self._timer: threading.Timer | None = None
        self.panel = HypothesisPanel(study_form.fields())
        self.chart = LiveChart({})
        self.studies = StudyList()
        self.tree = BranchTree()
        self.panel.on_press(self._press)
        self.panel.on_seen(self._be_seen)
        self.studies.on_press(self._choose)
        self.tree.on_press(self._tree_press)
        page.steer.expectations = inquiries.EXPECTATIONS
        page.steer.on_expect(self._expect)
        page.steer.observe(weakly(self._time), names=["steps_per_second"])
        page.steer.observe(weakly(self._show_present), names=["can_act", "asked", "proposed"])

    @property
    def layout(self) -> Part:
        return Rows((Pair(self.panel, self.chart), self.studies, self.tree))

    def show(self) -> None:
        stopped, example = self.running.name, self.run.example
        self.running.cancel()
        self._shown, self._told, self._going, self._pair_pace = None, False, [], 0.0
        self._ask(None)
        self.panel.show(
            moments=[],
            chosen="",
            wrong={},
            alarm=False,
            share=None,
            forecast="",
            outcome="",
            label="",
            headline="",
            verdict="",
            offers=[],
            files={},
            kept="",
            elsewhere="",
            timing={},
            ready=not example,
            recorded=example,
            sentence=inquiries.opening(example, stopped),
        )
        self.chart.set_panels({})
        self.studies.show(studies=[], current="", note="")
        path = self.run.path
        self.tree.show(
            runs=[],
            current="" if path is None else path.name,
            stored=[],
            last=0,
            sentence=inquiries.NO_BRANCH if example else "",
            alarm=False,
            busy=False,
            can_branch=not example,
        )
        self.refresh()

    def leave(self) -> None:
        self.running.cancel()

    def end(self) -> None:
        self.running.cancel()
        self._seen = False
        self._about = None

    def refresh(self, chosen: str = "") -> None:
        """Read again what the run has on disk, in a thread; verdicts once somebody looks."""
        if self.run.path is not None:
            future = _WORK.submit(inquiries.read, self.run.path, judged=self._seen)
            self.when_done(future, self._take, chosen)

    def _be_seen(self, seen: bool) -> None:
        self._seen = seen
        if seen:
            self.refresh()

    def heard(self, entry: Entry) -> None:
        if isinstance(entry, DecisionMade):
            self._told = True
            overruled = entry.by == "human" and entry.choice != entry.proposed
            if overruled:
                self.refresh(moment_name(entry.decision))
                self.panel.show(sentence=inquiries.offer(entry), alarm=False)
            if overruled or self._about is not None:
                self._ask((entry.decision, entry.layer) if overruled else None)
        elif isinstance(entry, StatusChanged) and entry.status in ("ready", "finished"):
            self.refresh()

    def _ask(self, about: tuple[int, int] | None) -> None:
        """Ask, beside the actions, whether a decision about a layer mattered; None asks nothing."""
        self._about = about
        self.page.steer.show(hint="" if about is None else inquiries.asking(*about))

    def _take(self, chosen: str, done: Future[inquiries.Found]) -> None:
        if (error := done.exception()) is not None:
            self.panel.show(sentence=str(error), alarm=True)
            return
        found, path = done.result(), self.run.folder
        present = [moment for moment in self.panel.moments if moment["id"] == PRESENT]
        if found.overruled is not None and not self._told and not self.run.example:
            # It was overruled before the page showed the run: what can be asked of it still can.
            chosen = chosen or self.panel.chosen or moment_name(found.overruled[0])
            self._ask(None if found.overruled[0] in found.stated else found.overruled)
        elif self._about is not None and self._about[0] in found.stated:
            self._ask(None)
        self.panel.show(moments=[*present, *found.moments], chosen=chosen or self.panel.chosen)
        self.tree.show(runs=found.tree, stored=found.stored, last=found.last, current=path.name)
        self.studies.show(studies=found.studies, note=found.note)
        self._show_present()
        if self.run.example and found.studies and self._shown is None:
            # Nothing can be asked of it, so what was found comes first.
            self._look_at(Study.open(place_of(str(found.studies[0]["name"]), path / "studies")))
        self._take_others(found)
        self._pair_pace = found.pace
        self._time()
        self._watch()

    def _time(self, _: object = None) -> None:
        """Say how long pairs take: by those that were trained, else by the run's own steps."""
        threads, before = self.run.config.training.threads, self.panel.timing.get("seconds", 0.0)
        pace = self._pair_pace or study_times.of_run(self.page.steer.steps_per_second, threads)
        if pace and study_times.is_news(before, pace):
            self.panel.show(timing=study_times.timing(pace))

    def _take_others(self, found: inquiries.Found) -> None:
        """Say what others do with the run's studies, and draw the one that is shown where it is theirs."""
        own, before = self._own, {each.name for each in self._going}
        self._traces = found.traces
        self._going = [each for each in found.going if each.name != own]
        self.panel.show(elsewhere=study_watch.elsewhere(self._going))
        if self._shown is None or self._shown not in before | {each.name for each in self._going}:
            return
        study = Study.open(place_of(self._shown, self.run.folder / "studies"))
        self._draw(study)
        if not study.running:
            self._offer(study)

    @property
    def _own(self) -> str:
        """The study of the run on the page that this page runs; "" if none."""
        runner = self.running.runner
        mine = (
            runner is not None and runner.study.run == self.run.path and runner.progress.state in ("ready", "running")
        )
        return runner.study.name if mine and runner is not None else ""

    def _watch(self) -> None:
        """Look again in a moment whether others have added to the run's studies, as long as that is in sight."""
        wanted = self.run.path is not None and not self.run.example and (self._seen or self._about is not None)
        if wanted and self._timer is None:
            self._timer = threading.Timer(study_watch.LOOK_AGAIN, weakly(self._look_again))
            self._timer.daemon = True
            self._timer.start()

    def _look_again(self) -> None:
        self._timer = None
        path, own = self.run.path, self._own
        if path is None:
            return
        if study_watch.without(study_watch.traces(path), own) != study_watch.without(self._traces, own):
            self.refresh()
        else:
            self._watch()

    def _show_present(self, _: object = None) -> None:
        """The decision at hand is the first of the moments, while its action is awaited."""
        state = self.page.steer
        stored = [moment for moment in self.panel.moments if moment["id"] != PRESENT]
        if state.can_act and state.layer is not None and state.proposed is not None and self.run.is_trained:
            stored.insert(0, inquiries.present(state))
        if stored != self.panel.moments:
            self.panel.show(moments=stored)

    # -- the form ----------------------------------------------------------------------------------------------------

    def _press(self, kind: str, values: dict[str, Any]) -> None:
        match kind:
            case "cancel":
                self.running.cancel()
            case "keep":
                self._keep(str(values["format"]))
            case "extend" | "fresh" | "stop":
                self._go_on(kind)
            case _:
                self._state(kind, values)

    def _state(self, kind: str, values: dict[str, Any]) -> None:
        """State what is filled in, and run it."""
        path = self._own_run()
        self._check_free()
        stated = study_form.Form.read(kind, values)
        if stated.moment not in {moment["id"] for moment in self.panel.moments}:
            stated.wrong["moment"] = "Expected a decision of the list."
        if stated.wrong:
            self.panel.show(
                wrong=stated.wrong, sentence="The study was not started; see beside the fields.", alarm=True
            )
            return
        self.running.cancelled = False
        self.panel.show(
            share=-1.0,
            sentence=inquiries.STATING,
            alarm=False,
            outcome="",
            label="",
            headline="",
            verdict="",
            forecast="",
            offers=[],
            files={},
            kept="",
        )
        saved: Future[Any] | None = None
        if stated.moment == PRESENT:
            if not self.run.is_trained:
                raise LayertieError("Expected a run that waits for an action, but none does.", "Pause it first.")
            saved = self.run.give(Save(moment_name(self.page.steer.asked)))
        future = _WORK.submit(study_form.state, path, stated, self.page.steer.asked, saved)
        self.when_done(future, self._begin)

    def _check_free(self) -> None:
        if self.panel.share is not None:
            raise LayertieError("Expected one study at a time, but one runs.", "Wait for it, or cancel it.")
        # Before it is stated: what cannot run is not to count among the hypotheses of the run.
        check_room("studies under way", sum(bool(other.name) for other in _every), "Wait for one to end.")

    def _on_page(self) -> Study:
        """The study that is shown.

        Raises:
            LayertieError: None is.
        """
        if self._shown is None:
            raise LayertieError("Expected a study on the page, but none is shown.", "Choose one of the list.")
        return Study.open(place_of(self._shown, self.run.folder / "studies"))

    def _go_on(self, kind: str) -> None:
        """What was offered after a plan that was used up: more replicates, another hypothesis, or nothing more."""
        study = self._on_page()
        if kind == "stop":
            self.panel.show(offers=[], sentence=inquiries.stopped(study), alarm=False)
            return
        self._own_run()
        self._check_free()
        self.running.cancelled = False
        if kind == "extend":
            self.panel.show(share=-1.0, sentence=inquiries.EXTENDING, alarm=False, offers=[])
            self.when_done(_WORK.submit(inquiries.extend, study), self._begin)
            return
        ids = [str(moment["id"]) for moment in self.panel.moments]
        at_hand = self.page.steer.asked if PRESENT in ids else None
        self.when_done(_WORK.submit(inquiries.fresh_form, study, ids, at_hand), self._fill)

    def _expect(self, value: str) -> None:
        """What somebody expects of the decision that was asked about."""
        self._fillings += 1
        values = {"expected": value} | ({} if self._about is None else {"moment": moment_name(self._about[0])})
        self.panel.show(filled={"number": self._fillings, "values": values})

    def _fill(self, done: Future[dict[str, str]]) -> None:
        if (error := done.exception()) is not None:
            self.panel.show(sentence=str(error), alarm=True)
            return
        self._fillings += 1
        filled = {"number": self._fillings, "values": done.result()}
        self.panel.show(filled=filled, offers=[], sentence=inquiries.FILLED_IN, alarm=False)

    def _keep(self, format: str) -> None:
        study = self._on_page()
        if format not in inquiries.FILES:
            raise LayertieError(f"Expected a file out of {', '.join(inquiries.FILES)}.", "Press a button.")
        self.panel.show(kept=inquiries.WRITING)
        self.when_done(_WORK.submit(inquiries.keep, study, format, beside=not self.run.example), self._keep_told)

    def _keep_told(self, done: Future[tuple[str, bytes, str]]) -> None:
        if (error := done.exception()) is not None:
            self.panel.show(kept=str(error))
            return
        name, content, said = done.result()
        self.panel.show(kept=said)
        self.panel.hand_over(name, content)

    def _begin(self, done: Future[Study]) -> None:
        """A study is on disk: run it."""
        if (error := done.exception()) is not None:
            field = study_form.field_of(error)
            if field:
                self.panel.show(wrong={field: str(error)}, share=None, sentence="", alarm=False)
            else:
                self.panel.show(sentence=str(error), alarm=True, share=None)
            return
        if self.running.cancelled:
            self.panel.show(share=None, sentence=inquiries.CANCELLED_EARLY.format(done.result().name))
            self.refresh()
            return
        self._run(done.result())

    def _run(self, study: Study) -> None:
        self._look_at(study)
        try:
            going = sum(bool(other.name) for other in _every)
            check_room("studies under way", going, "Wait for one to end; Go on in the list then runs this one.")
        except LayertieError as error:
            self.panel.show(sentence=str(error), alarm=True, share=None)
            self.refresh()
            return
        self.running.runner = runner = StudyRunner(
            study,
            should_stop=inquiries.judge_of(study),
            on_change=weakly(self._changed, study),
        )
        try:
            runner.start()
        except LayertieError as error:
            self.panel.show(sentence=str(error), alarm=True, share=None)
            return
        if self.running.cancelled:
            runner.cancel()
        self.refresh()

    def _changed(self, study: Study, progress: StudyProgress) -> None:
        """How far a study is, in its thread."""
        if study.run != self.run.path:
            return
        if progress.state == "running":
            self.panel.show(share=progress.share, sentence=inquiries.how_far(progress))
            self._count(study, progress.replicates)
            self._draw(study)
            return
        self._draw(study)
        ended = inquiries.ended(study, progress)
        self.panel.show(share=None, sentence=ended, alarm=progress.state == "failed")
        if study.name == self._shown:
            self._offer(study)
        self.refresh()

    def _count(self, study: Study, replicates: int) -> None:
        """Say in the list how many replicates have come of a study that runs."""
        rows = [row | {"replicates": replicates} if row["name"] == study.name else row for row in self.studies.studies]
        if rows != self.studies.studies:
            self.studies.show(studies=rows)

    def _look_at(self, study: Study) -> None:
        """Show a study's charts, made once, and its verdict; then what can be done after it."""
        self._shown = study.name
        self.chart.set_panels(inquiries.pictures(study))
        self.chart.reset(inquiries.rows(study))
        self.studies.show(current=study.name)
        self.panel.show(**inquiries.verdict_traits(study), offers=[], kept="", files=inquiries.files_of(study))
        self._drawn = -1
        self._offer(study)

    def _offer(self, study: Study) -> None:
        """Say what is honest after a plan that was used up; what a new study would take is simulated in a thread."""
        # To a recorded example nothing can be added.
        if self.running.name != study.name and not self.run.example:
            self.when_done(_WORK.submit(inquiries.offers, study), self._offered, study.name)

    def _offered(self, name: str, done: Future[list[dict[str, str]]]) -> None:
        if name == self._shown and done.exception() is None:
            self.panel.show(offers=done.result())

    def _draw(self, study: Study) -> None:
        count = len(study.replicates())
        if study.name == self._shown and count != self._drawn:
            self._drawn = count
            self.chart.reset(inquiries.rows(study))
            self.panel.show(**inquiries.verdict_traits(study), files=inquiries.files_of(study))

    # -- past studies and branches -------------------------------------------------------------------------------------

    def _choose(self, kind: str, name: str) -> None:
        if name not in {study["name"] for study in self.studies.studies}:
            raise LayertieError("Expected a study of the list, but got another.", "Choose one of the list.")
        study = Study.open(place_of(name, self.run.folder / "studies"))
        if kind == "show":
            self._look_at(study)
        elif self.run.example:
            self._own_run()
        elif study.running and name != self._own:
            raise LayertieError(
                f"Expected a study that nobody runs, but {name} is under way in another page.",
                "What comes of it is listed here as well.",
            )
        else:
            self._check_free()
            self.running.cancelled = False
            self.panel.show(share=-1.0, sentence=inquiries.STATING, alarm=False)
            self._run(study)

    def _tree_press(self, kind: str, values: dict[str, Any]) -> None:
        path = self.run.folder
        if kind == "open":
            self.page.open_run(inquiries.folder_of(path, str(values["id"])))
            return
        self._own_run()
        self.tree.show(busy=True, sentence="Making a branch.")
        saved = None
        if values.get("decision") is None and self.page.steer.status in ("paused", "finished"):
            # The present is stored, so that the branch begins there at once; a run that nobody trains has it stored.
            with suppress(LayertieError):
                saved = self.run.give(Save())
        future = _WORK.submit(inquiries.branch, path, kind, values.get("decision"), saved)
        self.when_done(future, self._branched, kind)

    def _own_run(self) -> Path:
        """The folder of the run on the page, where something can be written to it.

        Raises:
            LayertieError: There is none, or it is a recorded example.
        """
        if self.run.example:
            raise LayertieError("Expected a run of your own, but this is a recorded example.", "New run trains one.")
        return self.run.folder

    def _branched(self, kind: str, done: Future[Path]) -> None:
        if (error := done.exception()) is not None:
            self.tree.show(busy=False, sentence=str(error), alarm=True)
            return
        made, path = done.result(), self.run.folder
        if kind == "undo":
            self.page.open_run(made)
            self.tree.show(sentence=inquiries.undone(path, made))
            return
        self.tree.show(busy=False, sentence=f"{made.name} is made. Click its line to open it; this run goes on.")
        self.refresh()
