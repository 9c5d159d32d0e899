// The run on the page, which can be named and noted on, and a menu of others that sorts by each column.

const COLUMNS = [
  ["title", "Run"], ["status", "State"], ["policy", "Policy"], ["corpus", "Text"], ["seed", "Seed"],
  ["reached", "Decisions"], ["loss", "Loss (nats)"], ["when", "Changed"],
];
const LONGEST_TITLE = 100;
const LONGEST_REMARK = 2000;

class RunMenu {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.name = html("strong", { class: "ll-name" });
    this.about = html("span", { class: "ll-about" });
    this.company = html("span", { class: "ll-company", role: "status" });
    this.note = html("span", { class: "ll-fate", role: "status" });
    this.button = html("button", { type: "button", "aria-expanded": "false", "aria-haspopup": "true" }, "Open a run");
    this.button.addEventListener("click", () => (this.menu.hidden ? this.open() : this.close()));
    this.menu = html("div", { class: "ll-menu", hidden: "" });
    this.by = "";
    this.down = false;
    this.problem = html("p", { class: "ll-problem", role: "alert" });
    this.rename = html("button", { type: "button", class: "ll-rename", "aria-expanded": "false" }, "Name");
    set(this.rename, { title: "Give this run a name and a note of your own" });
    this.rename.addEventListener("click", () => (this.label.hidden ? this.openLabel() : this.closeLabel()));
    this.label = this.labelForm();
    const now = html("span", { class: "ll-now" }, this.name, this.company, this.about, this.note);
    root.append(html("div", { class: "ll-line" }, now, this.rename, this.button), this.label, this.menu, this.problem);
    root.addEventListener("keydown", (event) => this.press(event));
    this.outside = (event) => {
      if (!event.composedPath().includes(root)) this.close(false);
    };
    this.repaint = oncePerFrame(() => this.paint());
    this.paint();
  }

  get = (name) => this.model.get(name);

  labelForm() {
    const title = html("input", { type: "text", maxlength: LONGEST_TITLE, class: "ll-title" });
    const remark = html("textarea", { rows: "3", maxlength: LONGEST_REMARK, class: "ll-remark" });
    const save = html("button", { type: "submit", class: "ll-main" }, "Keep");
    const cancel = html("button", { type: "button" }, "Cancel");
    cancel.addEventListener("click", () => this.closeLabel());
    const form = html("form", { class: "ll-label", hidden: "" });
    form.append(
      html("label", {}, "Name of this run", title),
      html("label", {}, "Note", remark),
      html("p", { class: "ll-hint" }, "Empty: it is called as its settings say. Its folder keeps its name."),
      html("div", { class: "ll-line" }, save, cancel),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.model.send({ kind: "label", name: this.labelled, title: title.value, remark: remark.value });
    });
    Object.assign(this, { titleField: title, remarkField: remark });
    return form;
  }

  openLabel() {
    this.close(false);
    // What is typed is of the run that was shown when the form opened, whatever is shown meanwhile.
    this.labelled = this.get("current");
    this.titleField.value = this.get("named") ? this.get("title") : "";
    this.titleField.placeholder = this.get("named") ? "" : this.get("title");
    this.remarkField.value = this.get("remark");
    this.label.hidden = false;
    set(this.rename, { "aria-expanded": "true" });
    this.titleField.focus();
  }

  closeLabel() {
    this.label.hidden = true;
    set(this.rename, { "aria-expanded": "false" });
    this.rename.focus();
  }

  open() {
    this.label.hidden = true;
    set(this.rename, { "aria-expanded": "false" });
    this.menu.hidden = false;
    // It opens to the left of the button, and the page begins there.
    const page = this.root.closest(".ll-frame")?.getBoundingClientRect().left ?? 0;
    this.root.style.setProperty("--ll-room", `${Math.min(980, this.root.getBoundingClientRect().right - page - 8)}px`);
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
    if (message.kind === "labeled" && message.good && message.name === this.labelled) this.closeLabel();
    this.repaint();
  }

  press(event) {
    if (event.key === "Escape") return this.label.hidden ? this.close() : this.closeLabel();
    const rows = [...this.menu.querySelectorAll("button.ll-run")];
    const at = rows.indexOf(this.root.getRootNode().activeElement);
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!move || this.menu.hidden || !rows.length) return;
    event.preventDefault();
    rows[Math.max(0, Math.min(rows.length - 1, at + move))].focus();
  }

  paint() {
    say(this.name, this.get("title") || this.get("current") || "No run");
    say(this.about, this.get("about"));
    set(this.about, { title: this.get("about") || null });
    say(this.company, this.get("company"));
    say(this.note, this.get("note"));
    set(this.note, { title: this.get("note") || null });
    const more = [this.get("remark"), this.get("current") && `Folder: ${this.get("current")}`].filter(Boolean);
    set(this.name, { title: more.join("\n") || null });
    this.root.dataset.run = this.get("current");
    this.rename.hidden = !this.get("can_label");
    say(this.problem, this.get("problem"));
    if (this.menu.hidden) return;
    const runs = this.get("runs");
    if (this.waiting && !runs.length) return this.menu.replaceChildren(html("p", {}, "Looking for runs."));
    if (!runs.length) return this.menu.replaceChildren(html("p", {}, "There is no run yet. New run makes one."));
    const focused = this.root.getRootNode().activeElement?.dataset;
    const heads = COLUMNS.map(([column, words]) => {
      const sorts = this.by === column;
      const mark = sorts ? (this.down ? " ▾" : " ▴") : "";
      const head = html("button", { type: "button", "data-sort": column, class: `ll-${column}` }, `${words}${mark}`);
      set(head, { "aria-label": `Sort by ${words}`, "aria-pressed": String(sorts) });
      head.addEventListener("click", () => this.sort(column));
      return head;
    });
    const head = html("div", { class: "ll-run ll-head", role: "group", "aria-label": "Sort" }, ...heads);
    this.menu.replaceChildren(head, ...this.sorted(runs).map((run) => this.row(run)));
    const again = focused?.sort ? `[data-sort="${focused.sort}"]` : focused?.run && `[data-run="${CSS.escape(focused.run)}"]`;
    if (again) this.menu.querySelector(again)?.focus();
  }

  sort(column) {
    this.down = this.by === column && !this.down;
    this.by = column;
    this.paint();
  }

  sorted(runs) {
    if (!this.by) return runs;
    const value = (run) => (this.by === "title" ? run.title || run.name : this.by === "when" ? run.changed : run[this.by]) ?? "";
    return [...runs].sort((a, b) => {
      if (!value(a) || !value(b)) return !value(a) - !value(b);
      const order = value(a).localeCompare(value(b), undefined, { numeric: true });
      return this.down ? -order : order;
    });
  }

  row(run) {
    const here = run.name === this.get("current");
    const row = html("button", { type: "button", class: "ll-run", "data-run": run.name, "data-status": run.status });
    const cells = COLUMNS.map(([column]) => html("span", { class: `ll-${column}` }, run[column] ?? ""));
    cells[0].replaceChildren(html("span", { class: "ll-word" }, run.title || run.name));
    set(row, { title: run.title ? `Folder: ${run.name}` : null, "aria-current": here ? "true" : null });
    row.append(...cells);
    if (run.note) row.append(html("small", { class: "ll-remark" }, run.note));
    row.addEventListener("click", () => this.choose(run.name));
    return row;
  }
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-runs" });
  el.append(root);
  const menu = new RunMenu(model, root);
  const stopTheme = followTheme(root);
  const stop = observe(
    model, ["current", "title", "named", "remark", "can_label", "about", "company", "note", "runs", "problem"], menu.repaint,
  );
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
