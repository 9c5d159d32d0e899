"""Every widget, with hostile words in each place for words; which, the page's address says."""

import marimo

app = marimo.App(width="full")


@app.cell
def _():
    import marimo as mo
    from hostile_words import WORDS

    from layertie_lab.core.columns import Column
    from layertie_lab.explorer import study_form
    from layertie_lab.widgets import LiveChart, SteerPanel, TieMapView
    from layertie_lab.widgets.ask_panel import AskPanel, Typed
    from layertie_lab.widgets.branch_tree import BranchTree
    from layertie_lab.widgets.comparing.compare_answer import CompareAnswer
    from layertie_lab.widgets.comparing.compare_list import CompareList
    from layertie_lab.widgets.comparing.sweep_panel import SweepPanel
    from layertie_lab.widgets.decision_table import DecisionTable
    from layertie_lab.widgets.forms.hypothesis_panel import HypothesisPanel
    from layertie_lab.widgets.forms.rules_panel import RulesPanel
    from layertie_lab.widgets.forms.settings_form import SettingsForm
    from layertie_lab.widgets.pictures import Pictures
    from layertie_lab.widgets.probe_panel import ProbePanel
    from layertie_lab.widgets.rows_table import RowsTable
    from layertie_lab.widgets.run_menu import RunMenu
    from layertie_lab.widgets.study_list import StudyList
    from layertie_lab.widgets.time_panel import TimePanel
    from layertie_lab.widgets.token_text import TokenText
    from layertie_lab.widgets.written_texts import WrittenTexts

    odd = WORDS[str(mo.query_params().get("words"))]
    drawn = odd[:500]
    spec = {
        "data": {"name": "rows"},
        "datasets": {"rows": [{"x": drawn, "y": 1, "url": drawn, "href": drawn}]},
        "title": drawn,
        "mark": {"type": "bar", "tooltip": True},
        "encoding": {
            "x": {"field": "x", "type": "nominal", "title": drawn},
            "y": {"field": "y", "type": "quantitative"},
            "href": {"field": "href"},
        },
        "width": 200,
        "height": 50,
        "usermeta": {"caption": f"{drawn}. More {drawn}"},
    }
    steer = SteerPanel(status="paused", status_text=odd, error=odd, hint=odd, layer=1, legal=[0, 1], owners=[0, 1])
    menu = RunMenu()
    row = dict.fromkeys(("name", "status", "what", "reached", "loss", "when", "note"), odd)
    menu.show(current=odd, about=odd, problem=odd, runs=[row])
    blanks = {name: Typed(odd, odd, odd, name == "a") for name in "ab"}
    ask = AskPanel(
        {odd: odd}, repeats=odd, sentence=odd, files={odd: odd}, choices={"a": (odd, {odd: odd})}, fields=blanks
    )
    ask.show(text=odd, can_ask=True, wrong={"b": odd})
    written = WrittenTexts()
    written.set([{"title": odd, "given": odd, "text": odd, "differs": odd}], [odd])
    node = {"id": odd, "name": odd, "parent": None, "decision": 0, "why": odd, "by": odd}
    tree = BranchTree(runs=[{**node, "decisions": 3, "loss": 1.0, "status": odd}], current=odd, sentence=odd, last=3)
    study = dict.fromkeys(("name", "statement", "expected", "outcome", "estimate", "state"), odd)
    studies = StudyList(studies=[{**study, "replicates": 1, "horizon": 1, "can_resume": True}], note=odd, current=odd)
    fields = [
        {**field, "label": odd, "help": odd, "choices": [[value, odd] for value, _ in field["choices"]]}
        for field in study_form.fields()
    ]
    moment = {"id": odd, "words": odd, "layer": 1, "proposed": 0, "legal": [0, 1], "answered": None}
    hypothesis = HypothesisPanel(fields, moments=[moment], chosen=odd, wrong={"statement": odd}, ready=True)
    hypothesis.show(sentence=odd, forecast=odd, label=odd, headline=odd, verdict=odd)
    rules = RulesPanel(independent=odd, locked=odd, in_force=odd, sentence=odd, wrong={"locked": odd})
    form = SettingsForm(note=odd, suggestions={"text.corpus": [(odd, odd)]})
    form.show(problems={"seed": odd, "": odd})
    time, probe = TimePanel(), ProbePanel()
    time.show(about=odd)
    probe.show(source=odd, pieces=[odd], typed=odd, warning=odd, problem=odd, others={odd: odd})
    text = TokenText(odd)
    text.set([[odd, "b"]], [[1.0, None]], [[odd, odd]], legend=odd, sentence=odd)
    table = RowsTable([Column("a", odd, odd), Column("b", "B", number=True)], by="b")
    table.set([{"a": odd, "b": 1}], odd)
    decisions = DecisionTable()
    decisions.push({"decisions": [{"decision": 1, "by": odd}]})
    decisions.problem = odd
    tie_map = TieMapView([0, 0, 0], message=odd)
    pictures, chart = Pictures(), LiveChart({drawn: spec})
    pictures.set({drawn: spec})
    entry = dict.fromkeys(("id", "kind", "name", "policy", "corpus", "seed", "state", "note"), odd)
    entry |= {"decisions": 1, "budget": 2, "loss": 1.0, "can_choose": True, "can_resume": True, "running": False}
    listed = CompareList(entries=[entry], chosen=[odd], ready=True, offer=odd, sentence=odd)
    answer = CompareAnswer({"at": (odd, {odd: odd})}, headline=odd, where=odd, groups=[odd, "b"], first="b", other=odd)
    answer.show(left_out=[odd], notes=[odd, odd], offered=["at"])
    choices = {"policies": [[odd, odd, odd]], "settings": [[odd, odd]], "scales": [odd], "corpora": [[odd, odd]]}
    values = dict.fromkeys(("policies", "seeds", "scale", "decisions", "corpus", "setting", "values"), odd)
    sweep = SweepPanel({**choices, "values": values}, plan=odd, wrong={"seeds": odd}, sentence=odd, share=0.5)
    every = [
        steer,
        menu,
        ask,
        tree,
        studies,
        hypothesis,
        rules,
        form,
        time,
        probe,
        text,
        table,
        decisions,
        tie_map,
        pictures,
        chart,
        listed,
        answer,
        sweep,
        written,
    ]
    mo.vstack([mo.ui.anywidget(widget.alone) for widget in every])
    return


if __name__ == "__main__":
    app.run()
