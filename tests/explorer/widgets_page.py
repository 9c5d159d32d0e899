"""The page of the browser test: a made-up run behind the real widgets. Query: layers, seconds, decisions, merging."""

import marimo

app = marimo.App(width="full")


@app.cell
def _():
    import marimo as mo
    from pretend_run import PretendSession, Room

    from layertie_lab.charts.run.live import live_spec

    return PretendSession, Room, live_spec, mo


@app.cell
def _(PretendSession, Room, live_spec, mo):
    query = mo.query_params()
    session = PretendSession(
        layers=int(query.get("layers") or 12),
        decisions=int(query.get("decisions") or 200),
        step_seconds=float(query.get("seconds") or 0.025),
        merging=bool(query.get("merging")),
    )
    names = {"Loss": "loss", "Reward": "reward", "Trainable parameters": "parameters"}
    steps = session.config.training.steps_per_decision
    room = Room(session, {title: live_spec(name, steps_per_decision=steps) for title, name in names.items()})
    return (room,)


@app.cell
def _(mo, room):
    steer, tie_map = mo.ui.anywidget(room.steer.alone), mo.ui.anywidget(room.tie_map.alone)
    chart = mo.ui.anywidget(room.chart.alone)
    if mo.query_params().get("tabs"):
        chart = mo.ui.tabs({"Charts": chart, "Words": mo.md("No charts here.")})
    top = mo.hstack([steer, tie_map], widths=[1, 1.4], gap=1, wrap=False)
    mo.vstack([top, chart])
    return


if __name__ == "__main__":
    app.run()
