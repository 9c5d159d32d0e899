# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = ["layertie_lab"]
#
# [tool.uv.sources]
# layertie_lab = { path = "..", editable = true }
#
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

    from layertie_lab.explorer import Explorer
    from layertie_lab.explorer.gate import admission

    return Explorer, Path, admission, mo


@app.cell
def _(admission, mo):
    # A page of another site, or under a foreign name of this server, is shown a sentence and nothing else.
    _meta = mo.app_meta()
    visit = admission(_meta.request, served=_meta.mode == "run")
    mo.stop(bool(visit.refusal), visit.refusal)
    return (visit,)


@app.cell
def _(Explorer, Path, mo, visit):
    _examples = Path(__file__).parents[1] / "data" / "examples"
    explorer = Explorer(query=mo.query_params(), examples=_examples, terms=visit.terms, session=visit.session)
    return (explorer,)


@app.cell
def _(explorer, mo):
    mo.ui.anywidget(explorer.frame)
    return


if __name__ == "__main__":
    app.run()
