"""The page of the browser tests of widgets without a run: set from a test by a remote control, as in `looking_page`."""

import marimo

app = marimo.App(width="full")


@app.cell
def _():
    import marimo as mo
    from remote import Remote

    from layertie_lab.explorer import study_form
    from layertie_lab.widgets import SteerPanel, TieMapView
    from layertie_lab.widgets.branch_tree import BranchTree
    from layertie_lab.widgets.decision_table import DecisionTable
    from layertie_lab.widgets.forms.hypothesis_panel import HypothesisPanel
    from layertie_lab.widgets.forms.rules_panel import RulesPanel
    from layertie_lab.widgets.study_list import StudyList

    return (
        BranchTree, DecisionTable, HypothesisPanel, Remote, RulesPanel, SteerPanel, StudyList, TieMapView, mo,
        study_form,
    )  # fmt: skip


@app.cell
def _(
    BranchTree, DecisionTable, HypothesisPanel, Remote, RulesPanel, SteerPanel, StudyList, TieMapView, mo, study_form
):  # fmt: skip
    widgets = {
        "tree": BranchTree(can_branch=True),
        "table": DecisionTable(),
        "rules": RulesPanel(can_apply=True),
        "steer": SteerPanel(),
        "map": TieMapView(),
        "hypothesis": HypothesisPanel(study_form.fields(), ready=True),
        "studies": StudyList(),
    }
    remote = Remote(widgets)
    remote.listen("tree", widgets["tree"].on_press)
    mo.vstack([mo.ui.anywidget(each) for each in (remote, *(widget.alone for widget in widgets.values()))])
    return


if __name__ == "__main__":
    app.run()
