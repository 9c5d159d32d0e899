// The run on the page, and a menu of others.

const COLUMNS = ["name", "status", "what", "reached", "loss", "when"];
const HEADS = {
  name: "Run", status: "State", what: "Settings", reached: "Decisions", loss: "Validation loss", when: "Changed",
};

class RunMenu {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.name = html("strong", { class: "ll-name" });
    this.about = html("span", { class: "ll-about" });
    this.note = html("span", { class: "ll-fate", role: "status" });
    this.button = html("button", { type: "button", "aria-expanded": "false", "aria-haspopup": "true" }, "Open a run");
    this.button.addEventListener("click", () => (this.menu.hidden ? this.open() : this.close()));
    this.menu = html("div", { class: "ll-menu", hidden: "" });
    this.problem = html("p", { class: "ll-problem", role: "alert" });
    const line = html("div", { class: "ll-line" }, html("span", { class: "ll-now" }, this.name, this.about, this.note), this.button);
    root.append(line, this.menu, this.problem);
    root.addEventListener("keydown", (event) => this.press(event));
    this.outside = (event) => !event.composedPath().includes(root) && this.close(false);
    this.repaint = oncePerFrame(() => this.paint());
    this.paint();
  }

  get = (name) => this.model.get(name);

  open() {
    this.menu.hidden = false;
    this.waiting = true;
    set(this.button, { "aria-expanded": "true" });
    document.addEventListener("pointerdown", this.outside);
    this.model.send({ kind: "list" });
    this.paint();
  }

  close(focus = true) {
    if (this.menu.hidden) return;
    this.menu.hidden = true;
    set(this.button, { "aria-expanded": "false" });
    document.removeEventListener("pointerdown", this.outside);
    if (focus) this.button.focus();
  }

  choose(name) {
    this.close();
    this.model.send({ kind: "open", name });
  }

  receive(message) {
    this.root.dataset[message.kind] = Number(this.root.dataset[message.kind] ?? 0) + 1;
    if (message.kind === "listed") this.waiting = false;
    this.repaint();
  }

  press(event) {
    if (event.key === "Escape") return this.close();
    const rows = [...this.menu.querySelectorAll("button")];
    const at = rows.indexOf(this.root.getRootNode().activeElement);
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!move || this.menu.hidden || !rows.length) return;
    event.preventDefault();
    rows[Math.max(0, Math.min(rows.length - 1, at + move))].focus();
  }

  paint() {
    say(this.name, this.get("current") || "No run");
    say(this.about, this.get("about"));
    say(this.note, this.get("note"));
    set(this.name, { title: this.get("current") });
    say(this.problem, this.get("problem"));
    if (this.menu.hidden) return;
    const runs = this.get("runs");
    if (this.waiting && !runs.length) return this.menu.replaceChildren(html("p", {}, "Looking for runs."));
    if (!runs.length) return this.menu.replaceChildren(html("p", {}, "There is no run yet. New run makes one."));
    const head = html("div", { class: "ll-run ll-head", "aria-hidden": "true" });
    head.append(...COLUMNS.map((column) => html("span", {}, HEADS[column])));
    this.menu.replaceChildren(head, ...runs.map((run) => this.row(run)));
  }

  row(run) {
    const cells = COLUMNS.map((column) => html("span", { class: `ll-${column}` }, run[column] ?? ""));
    const here = run.name === this.get("current");
    const row = html("button", { type: "button", class: "ll-run", "data-run": run.name, "data-status": run.status });
    set(row, { title: run.note || null, "aria-current": here ? "true" : null });
    row.append(...cells);
    row.addEventListener("click", () => this.choose(run.name));
    return row;
  }
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-runs" });
  el.append(root);
  const menu = new RunMenu(model, root);
  const stopTheme = followTheme(root);
  const stop = observe(model, ["current", "about", "note", "runs", "problem"], menu.repaint);
  const receive = (message) => menu.receive(message);
  model.on("msg:custom", receive);
  return () => {
    stop();
    stopTheme();
    menu.close(false);
    model.off("msg:custom", receive);
  };
}

export default { render };
