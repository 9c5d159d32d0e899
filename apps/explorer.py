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
    from pathlib import Path

    import marimo as mo

    from layertie_lab.explorer.desk import make_desk

    return Path, make_desk, mo


@app.cell
def _(Path, make_desk, mo):
    desk = make_desk(mo.query_params(), Path(__file__).parents[1] / "data" / "examples")
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
    _inside, _tried = desk.inside, desk.counterfactuals
    _form, _twins = mo.ui.anywidget(_tried.panel), mo.ui.anywidget(_tried.chart)
    _pair = mo.Html(f'<div class="explorer-pair"><div>{_form}</div><div>{_twins}</div></div>')
    _map, _glance = mo.ui.anywidget(_inside.tie_map), mo.ui.anywidget(_inside.glance)
    _then = mo.Html(f'<div class="explorer-pair"><div>{_map}</div><div>{_glance}</div></div>')
    _time = mo.ui.anywidget(_inside.time)
    _views = {
        title: mo.vstack([mo.ui.anywidget(widget) for widget in widgets]) for title, widgets in _inside.widgets.items()
    }
    mo.ui.tabs(
        {
            "Decisions": mo.ui.anywidget(desk.table),
            "Did it matter?": mo.vstack([_pair, mo.ui.anywidget(_tried.studies), mo.ui.anywidget(_tried.tree)]),
            "Rules": mo.ui.anywidget(desk.ruling.panel),
            # One block, so that the scrubber stays in sight above all that it moves.
            "Look inside": mo.Html(f'<div><div class="explorer-time">{_time}</div>{_then}{mo.ui.tabs(_views)}</div>'),
            "Audit": mo.vstack([mo.ui.anywidget(desk.auditing.panel), mo.ui.anywidget(desk.auditing.chart)]),
        }
    )
    return


if __name__ == "__main__":
    app.run()
