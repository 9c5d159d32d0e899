// The hypotheses of a run, and what came of each.

const HEADS = {
  name: "Study", statement: "Hypothesis", expected: "Expected", outcome: "Verdict", estimate: "Difference",
  replicates: "Pairs", horizon: "Steps",
};

class StudyList {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    const head = html("tr", {}, ...Object.values(HEADS).map((words) => html("th", { scope: "col" }, words)), html("th", {}));
    this.body = html("tbody", {});
    this.table = html("table", {}, html("thead", {}, head), this.body);
    this.empty = html("p", { class: "ll-note" }, "No hypothesis has been stated about this run yet.");
    this.note = html("p", { class: "ll-note" });
    root.append(html("div", { class: "ll-scroll" }, this.table), this.empty, this.note);
    this.repaint = oncePerFrame(() => this.paint());
    this.paint();
  }

  paint() {
    const get = (name) => this.model.get(name);
    const studies = get("studies");
    set(this.table, { style: studies.length ? null : "display: none" });
    set(this.empty, { hidden: studies.length ? "" : null });
    this.body.replaceChildren(...studies.map((study) => this.row(study, get("current"))));
    say(this.note, get("note"));
    this.root.dataset.studies = studies.length;
  }

  row(study, current) {
    const send = (kind) => this.model.send({ kind, name: study.name, sent: now() });
    const cells = Object.keys(HEADS).map((name) => html("td", { class: `ll-${name}` }, String(study[name] ?? "")));
    // Here, since the row's end is out of sight on a narrow page.
    if (study.running) say(cells[3], ["running", study.outcome].filter(Boolean).join(", "));
    const open = html("button", { type: "button" }, study.name);
    open.addEventListener("click", () => send("show"));
    cells[0].replaceChildren(open);
    const last = html("td", {});
    if (study.can_resume) {
      const resume = html("button", { type: "button" }, "Go on");
      resume.addEventListener("click", () => send("resume"));
      last.append(resume);
    }
    const row = html("tr", { "data-study": study.name, "data-outcome": study.outcome }, ...cells, last);
    set(row, { "aria-current": study.name === current ? "true" : null });
    return row;
  }
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-studies" });
  el.append(root);
  const list = new StudyList(model, root);
  const stopTheme = followTheme(root);
  const stop = observe(model, ["studies", "current", "note"], list.repaint);
  return () => {
    stop();
    stopTheme();
  };
}

export default { render };
