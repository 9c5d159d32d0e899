// The form of a sweep, and how far it is.

class SweepPanel {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    const { policies, settings, scales, corpora, values } = model.get("fields");
    this.fields = {};
    this.wrongs = {};
    const ticked = values.policies.split(" ");
    this.boxes = policies.map(([name, title, about]) => {
      const box = html("input", { type: "checkbox", value: name });
      box.checked = ticked.includes(name);
      return html("label", { class: "ll-tick", title: `${title}. ${about}` }, box, name);
    });
    const picked = html("fieldset", {}, html("legend", {}, "Policies"), html("div", { class: "ll-ticks" }, ...this.boxes), this.wrong("policies"));
    const line = html("div", { class: "ll-fields" });
    line.append(
      this.field("seeds", "Seeds", this.input(values.seeds)),
      this.field("scale", "Size", this.select(scales.map((name) => [name, name]), values.scale)),
      this.field("decisions", "Decisions each", this.input(values.decisions, { inputmode: "numeric" })),
      this.field("corpus", "Text", this.select(corpora.map(([name]) => [name, name]), values.corpus)),
      this.field("setting", "One setting that varies", this.select([["", "none"], ...settings], values.setting)),
      this.field("values", "Its values", this.input(values.values, { placeholder: "0.001 0.003" })),
    );
    this.plan = html("p", { class: "ll-plan", role: "status" });
    this.start = html("button", { type: "submit", class: "ll-main", "data-press": "start" }, "Run the sweep");
    this.form = html("form", {}, picked, line, html("div", { class: "ll-line" }, this.start, this.plan));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.start.getAttribute("aria-disabled") === "true") return;
      this.send("start", { values: this.values() });
      this.started = true;
    });
    this.form.addEventListener("change", () => this.draft());
    this.fold = html("details", {}, html("summary", {}, "Run a sweep: policies x seeds x one setting"), this.form);
    this.fold.addEventListener("toggle", () => this.fold.open && this.draft());
    this.bar = html("progress", { max: 1, "aria-label": "How much of the sweep is done" });
    this.cancel = html("button", { type: "button", "data-press": "cancel" }, "Cancel");
    this.cancel.addEventListener("click", () => this.send("cancel"));
    this.going = html("div", { class: "ll-line ll-going" }, this.bar, this.cancel);
    this.sentence = html("p", { class: "ll-sentence", role: "status" });
    root.append(this.fold, this.going, this.sentence);
    this.repaint = oncePerFrame(() => this.paint());
    this.paint();
  }

  get = (name) => this.model.get(name);

  send(kind, more = {}) {
    this.model.send({ kind, ...more, sent: now() });
  }

  input(value, more = {}) {
    return html("input", { type: "text", value, autocomplete: "off", spellcheck: "false", ...more });
  }

  select(values, chosen) {
    const select = html("select", {}, ...values.map(([value, words]) => html("option", { value }, words)));
    select.value = chosen;
    return select;
  }

  wrong(name) {
    return (this.wrongs[name] = html("span", { class: "ll-wrong" }));
  }

  field(name, words, control) {
    this.fields[name] = set(control, { "data-field": name }) ?? control;
    return html("div", { class: "ll-field", "data-name": name }, html("label", {}, html("span", {}, words), control), this.wrong(name));
  }

  values() {
    const values = Object.fromEntries(Object.entries(this.fields).map(([name, control]) => [name, control.value]));
    const ticked = this.boxes.map((label) => label.firstChild).filter((box) => box.checked);
    return { ...values, policies: ticked.map((box) => box.value).join(" ") };
  }

  draft() {
    this.send("draft", { values: this.values() });
  }

  paint() {
    const [share, wrong] = [this.get("share"), this.get("wrong")];
    const busy = share !== null && share !== undefined;
    for (const [name, place] of Object.entries(this.wrongs)) {
      say(place, wrong[name] ?? "");
      if (this.fields[name]) set(this.fields[name], { "aria-invalid": wrong[name] ? "true" : null });
    }
    say(this.plan, Object.keys(wrong).length ? "" : this.get("plan"));
    set(this.start, { "aria-disabled": busy || Object.keys(wrong).length ? "true" : "false" });
    if (busy && this.started) [this.fold.open, this.started] = [false, false];
    set(this.going, { hidden: busy ? null : "" });
    set(this.bar, { value: busy && share >= 0 ? share : null });
    say(this.sentence, this.get("sentence"));
    set(this.sentence, { "data-alarm": this.get("alarm") ? "" : null });
    Object.assign(this.root.dataset, { busy });
  }
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-sweep", ...KEYS_STAY_HERE });
  el.append(root);
  const panel = new SweepPanel(model, root);
  const stopTheme = followTheme(root);
  const stop = observe(model, ["plan", "wrong", "sentence", "alarm", "share"], panel.repaint);
  return () => {
    stop();
    stopTheme();
  };
}

export default { render };
