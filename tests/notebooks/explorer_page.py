"""A marimo notebook as somebody writes one: a session, and what shows it as the last line of a cell."""

import marimo

app = marimo.App()


@app.cell
def _():
    from pydoc_data.topics import topics

    from layertie_lab import Explorer, RunConfig, Session, load_run
    from layertie_lab.charts import loss_chart, parameters_chart
    from layertie_lab.widgets import LiveChart

    words = [topics[name] for name in sorted(topics)][:40]
    session = Session(RunConfig.preset("tiny", decisions=60, evaluate_every=5), "runs/mine", data=words)
    session.run(12)
    run = load_run("runs/mine")
    return Explorer, LiveChart, loss_chart, parameters_chart, run, session


@app.cell
def _(Explorer, session):
    Explorer(session)
    return


@app.cell
def _(loss_chart, run):
    loss_chart(run.steps, run.evaluations, run.decisions)
    return


@app.cell
def _(LiveChart, loss_chart, parameters_chart, run):
    LiveChart(
        {
            "Loss of the run": loss_chart(run.steps, run.evaluations, run.decisions),
            "Its parameters": parameters_chart(run.decisions),
        },
        columns=2,
    )
    return


if __name__ == "__main__":
    app.run()
