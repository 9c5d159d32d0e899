// The set-up form. A change leaves as a message when a person stops typing, and comes back checked.

const OTHER = "\u0000other";
const GROUPS = {
  run: "Run", text: "Text", model: "Model", ties: "Ties", agent: "Agent", reward: "Reward", training: "Training",
  records: "Records",
};
const ONE_PRESS_MS = 1000;
const STOPPED_TYPING_MS = 400;
const HINT = "Point at a setting, or tab to it, to read what it does.";

class SettingsForm {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.view = Math.random().toString(36).slice(2); // all views of a form get the answers to each
    this.count = this.changed = this.answered = 0;
    this.rows = new Map(); // path -> row
    this.main = html("div", { class: "ll-fields" });
    this.start = html("button", { type: "submit", class: "ll-main ll-start" }, "Start");
    this.note = html("p", { class: "ll-note", role: "status" });
    this.summary = html("summary", {});
    this.help = html("p", { class: "ll-help" }, HINT);
    this.groups = html("div", { class: "ll-groups" });
    this.reset = html("button", { type: "button", class: "ll-reset" }, "Back to the preset");
    this.reset.addEventListener("click", () => this.send("reset"));
    const head = html("div", { class: "ll-fold-head" }, this.help, this.reset);
    this.fold = html("details", { class: "ll-fold" }, this.summary, head, this.groups);
    this.form = html("form", { novalidate: "" }, this.main, this.note, this.fold);
    this.form.addEventListener("submit", (event) => this.submit(event));
    root.append(this.form);
    this.repaint = oncePerFrame(() => this.paint());
    this.build();
    this.paint();
  }

  get = (name) => this.model.get(name);

  /** Whether a change is on its way, after that message if one is given. */
  awaits(id = this.changed) {
    return id > this.answered;
  }

  receive(message) {
    const [view, number] = (message.id ?? "").split("-");
    if (message.kind !== "ack" || view !== this.view) return;
    this.answered = Number(number);
    this.repaint();
  }

  send(kind, values = {}) {
    this.count += 1;
    this.model.send({ kind, id: `${this.view}-${this.count}`, sent: now(), ...values });
    return this.count;
  }

  submit(event) {
    event.preventDefault();
    // A change that is on its way may be the correction.
    if (this.start.getAttribute("aria-disabled") === "true" && !this.awaits()) return;
    // What is being typed counts: its change event comes with Enter only after this one.
    const typing = this.rows.get(this.form.getRootNode().activeElement?.dataset?.path);
    if (typing) this.tell(typing);
    set(this.start, { "aria-disabled": "true", "data-pressed": "" });
    setTimeout(() => this.paintStart(), ONE_PRESS_MS);
    this.root.dataset.started = this.send("start");
  }

  /** The value of a field leaves, if it is news. */
  tell(row) {
    const value = row.kind === "flag" ? row.input.checked : row.other && !row.other.hidden ? row.other.value : row.input.value;
    row.typing = false;
    clearTimeout(row.timer);
    if (value === OTHER || value === row.told) return;
    row.told = value;
    this.changed = row.sent = this.send("change", { path: row.path, value });
  }

  // -- making ------------------------------------------------------------------------------------------------------

  build() {
    const groups = new Map();
    for (const field of this.get("fields")) {
      const row = this.row(field);
      this.rows.set(field.path, row);
      if (field.main) this.main.append(row.element);
      else {
        if (!groups.has(field.group)) {
          const group = html("fieldset", {}, html("legend", {}, GROUPS[field.group] ?? field.group));
          groups.set(field.group, group);
          this.groups.append(group);
        }
        groups.get(field.group).append(row.element);
      }
    }
    this.main.append(html("div", { class: "ll-go" }, this.start));
  }

  row(field) {
    const { path, kind } = field;
    // typing: changed, and not told yet; told: the last value that left; sent: with which message.
    const suggestions = this.get("suggestions")[path];
    const row = { path, kind, help: field.help };
    if (kind === "choice" || suggestions) {
      const offers = suggestions ?? field.choices.map((choice) => [choice, ""]);
      row.input = html("select", {}, ...offers.map(([value, words]) => option(value, words)));
      if (suggestions) row.input.append(html("option", { value: OTHER }, "another: a path, or hf:NAME"));
    } else if (kind === "flag") row.input = html("input", { type: "checkbox" });
    else row.input = html("input", { type: "text", inputmode: kind === "text" ? "text" : "decimal", size: 8 });
    set(row.input, { "data-path": path, autocomplete: "off", spellcheck: "false" });
    if (row.input.type === "text") row.input.addEventListener("input", () => this.typed(row));
    row.input.addEventListener("change", () => this.chosen(row));
    const inputs = [row.input];
    if (suggestions) {
      row.other = html("input", { type: "text", hidden: "", "data-path": path, spellcheck: "false", autocomplete: "off" });
      set(row.other, { "aria-label": `${field.label}: a path, or hf:NAME`, placeholder: "path, or hf:NAME" });
      row.other.addEventListener("change", () => this.tell(row));
      inputs.push(row.other);
    }
    row.wrong = html("span", { class: "ll-wrong", role: "alert" });
    row.label = html("span", { class: "ll-label" }, field.label);
    const tag = html("label", {}, row.label, ...inputs);
    row.element = html("div", { class: "ll-field", "data-kind": suggestions ? "offer" : kind, title: field.main ? field.help : null }, tag, row.wrong);
    const explain = () => say(this.help, `${field.label}: ${row.help} Preset: ${row.preset}.`);
    if (!field.main) {
      row.element.addEventListener("pointerenter", explain);
      row.element.addEventListener("focusin", explain);
    }
    return row;
  }

  typed(row) {
    row.typing = true;
    clearTimeout(row.timer);
    row.timer = setTimeout(() => this.tell(row), STOPPED_TYPING_MS);
  }

  chosen(row) {
    if (row.other) {
      row.other.hidden = row.input.value !== OTHER;
      if (!row.other.hidden) return row.other.focus();
    }
    this.tell(row);
  }

  // -- showing -----------------------------------------------------------------------------------------------------

  paint() {
    const problems = this.get("problems");
    let changed = 0;
    for (const field of this.get("fields")) {
      const row = this.rows.get(field.path);
      row.preset = field.preset;
      row.help = field.help; // it says what the chosen policy or reward is
      // What comes back may be the answer to an earlier change of something else.
      if (!row.typing && !this.awaits(row.sent ?? 0)) this.fill(row, field.value);
      if (field.changed && !field.main) changed += 1;
      const wrong = problems[field.path] ?? "";
      say(row.wrong, wrong);
      set(row.element, { "data-changed": field.changed && !field.main ? "" : null, "data-wrong": wrong ? "" : null });
      set(row.input, { "aria-invalid": wrong ? "true" : null });
    }
    const wrong = Object.keys(problems).filter((path) => path && !this.get("fields").find((f) => f.path === path)?.main);
    say(this.summary, `All settings${changed ? ` (${changed} changed)` : ""}`);
    if (wrong.length) this.fold.open = true;
    set(this.reset, { style: this.get("fields").some((field) => field.changed) ? null : "visibility: hidden" });
    const note = this.get("note") || problems[""] || "";
    say(this.note, note);
    set(this.note, { "data-alarm": (this.get("note") && this.get("alarm")) || problems[""] ? "" : null });
    this.paintStart();
  }

  paintStart() {
    const wrong = Object.keys(this.get("problems")).length > 0;
    const reason = wrong ? "Correct what is marked first" : null;
    set(this.start, { "aria-disabled": wrong ? "true" : "false", title: reason, "data-pressed": null });
  }

  fill(row, value) {
    row.told = row.kind === "flag" ? value : String(value);
    if (row.kind === "flag") row.input.checked = value;
    else if (row.other) {
      const offered = [...row.input.options].some((each) => each.value === value);
      row.input.value = offered ? value : OTHER;
      row.other.hidden = offered;
      if (!offered) row.other.value = value;
    } else if (row.input.value !== String(value)) row.input.value = value;
  }
}

function option(value, words) {
  return html("option", { value }, words ? `${value}: ${words}` : value);
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-setup" });
  el.append(root);
  const form = new SettingsForm(model, root);
  const stopTheme = followTheme(root);
  const stop = observe(model, ["fields", "problems", "note", "alarm"], form.repaint);
  const receive = (message) => form.receive(message);
  model.on("msg:custom", receive);
  return () => {
    model.off("msg:custom", receive);
    stop();
    stopTheme();
  };
}

export default { render };
