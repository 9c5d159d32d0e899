# /// script
# [tool.marimo.display]
# theme = "system"
# ///

"""The explorer: train a tied transformer, step the agent by hand or let it run, and watch it live.

Open it with `marimo run apps/explorer.py`.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="Layer tying explorer", css_file="explorer.css")


@app.cell
def _():
    import marimo as mo
    from desk import make_desk

    return make_desk, mo


@app.cell
def _(make_desk, mo):
    desk = make_desk(mo.query_params())
    return (desk,)


@app.cell
def _(desk, mo):
    _menu, _form = mo.ui.anywidget(desk.menu), mo.ui.anywidget(desk.form)
    mo.Html(f'<div class="explorer-head"><h1>Layer tying explorer</h1>{_menu}</div>{_form}')
    return


@app.cell
def _(desk, mo):
    _steer, _tie_map = mo.ui.anywidget(desk.steer), mo.ui.anywidget(desk.tie_map)
    mo.Html(f'<div class="explorer-pair"><div>{_steer}</div><div>{_tie_map}</div></div>')
    return


@app.cell
def _(desk, mo):
    mo.ui.anywidget(desk.chart)
    return


@app.cell
def _(desk, mo):
    _asked, _tried = desk.questions, desk.counterfactuals
    _form, _twins = mo.ui.anywidget(_tried.panel), mo.ui.anywidget(_tried.chart)
    _pair = mo.Html(f'<div class="explorer-pair"><div>{_form}</div><div>{_twins}</div></div>')
    mo.ui.tabs(
        {
            "Decisions": mo.ui.anywidget(desk.table),
            "Did it matter?": mo.vstack([_pair, mo.ui.anywidget(_tried.studies), mo.ui.anywidget(_tried.tree)]),
            "Rules": mo.ui.anywidget(desk.ruling.panel),
            "Layers": mo.vstack([mo.ui.anywidget(_asked.layers), mo.ui.anywidget(_asked.layers_chart)]),
            "Text": mo.ui.anywidget(_asked.sample),
            "Audit": mo.vstack([mo.ui.anywidget(_asked.audit), mo.ui.anywidget(_asked.audit_chart)]),
        }
    )
    return


if __name__ == "__main__":
    app.run()
