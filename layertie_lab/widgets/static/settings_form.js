// The set-up form. A change leaves as a message when a person stops typing, and comes back checked.

const ONE_PRESS_MS = 1000;
const OPEN = "text"; // the group that is unfolded at first
/** Group -> settings that its closed fold tells of. */
const TOLD = {
  text: ["text.corpus", "text.tokenizer"],
  model: ["model.layers", "model.width", "model.heads", "model.context"],
  agent: ["agent.policy", "reward.kind"],
  ties: ["ties.gradient", "ties.on_untie", "ties.chain", "ties.rules"],
  training: ["training.steps_per_decision", "training.batch_size", "training.learning_rate"],
  records: ["records.snapshot_mebibytes", "records.checkpoint_seconds"],
};

class SettingsForm {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.view = Math.random().toString(36).slice(2); // all views of a form get the answers to each
    this.count = this.changed = this.answered = 0;
    this.rows = new Map(); // path -> row
    this.folds = new Map(); // group -> its fold
    this.text = new OwnText(model, (kind, values) => this.send(kind, values));
    this.text.changed = () => this.repaint();
    this.main = html("div", { class: "ll-fields" });
    this.start = html("button", { type: "submit", class: "ll-main ll-start" }, "Start");
    this.note = html("p", { class: "ll-note", role: "status" });
    this.reset = html("button", { type: "button", class: "ll-quiet ll-reset" }, "Back to the preset");
    this.reset.addEventListener("click", () => this.send("reset"));
    this.bar = html("div", { class: "ll-bar" }, this.main, this.note);
    this.groups = html("div", { class: "ll-groups" });
    this.form = html("form", { novalidate: "" }, this.bar, this.groups);
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
    this.text.answered(this.answered, message.good ?? true);
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
    if (this.text.isUnused()) return;
    // What is being typed counts: its change event comes with Enter only after this one.
    const typing = this.rows.get(this.form.getRootNode().activeElement?.dataset?.path);
    if (typing) this.tell(typing);
    set(this.start, { "aria-disabled": "true", "data-pressed": "" });
    setTimeout(() => this.paintStart(), ONE_PRESS_MS);
    this.root.dataset.started = this.send("start");
  }

  /** The value of a field leaves, if it is news. */
  tell(row) {
    row.typing = false;
    clearTimeout(row.timer);
    if (row.value === row.told) return;
    row.told = row.value;
    this.changed = row.sent = this.send("change", { path: row.path, value: row.value });
  }

  // -- making ------------------------------------------------------------------------------------------------------

  build() {
    const departures = this.get("departures");
    for (const [name, title] of Object.entries(this.get("groups"))) {
      const told = html("span", { class: "ll-told" });
      const body = html("div", { class: "ll-group" });
      const fold = html("details", { class: "ll-fold", "data-group": name }, html("summary", {}, html("strong", {}, title), " ", told), body);
      fold.open = name === OPEN;
      Object.assign(fold, { told, body });
      this.folds.set(name, fold);
      this.groups.append(fold);
    }
    for (const field of this.get("fields")) {
      if (field.path === "text.column") continue; // it stands beside the file that it is of
      const row = new SettingRow(field, { suggestions: this.get("suggestions")[field.path], departures, tell: (each) => this.tell(each) });
      this.rows.set(field.path, row);
      const first = field.main && field.path !== "text.corpus";
      (first ? this.main : this.folds.get(field.group).body).append(row.element);
      if (field.path === "text.corpus") row.element.after(this.text.element);
    }
    this.main.append(html("div", { class: "ll-go" }, this.start));
    if (departures.length) this.groups.prepend(this.allDepartures(departures));
    this.groups.append(html("p", { class: "ll-end" }, this.reset));
  }

  allDepartures(departures) {
    const summary = html("summary", {}, `What the algorithm official-code does otherwise than the paper says (${departures.length} departures)`);
    return (this.official = html("details", { class: "ll-official" }, summary, ...departures.map(departure)));
  }

  // -- showing -----------------------------------------------------------------------------------------------------

  paint() {
    const [problems, unread] = [this.get("problems"), this.get("text_problems")];
    const fields = new Map(this.get("fields").map((field) => [field.path, field]));
    this.paintOffers();
    for (const [path, row] of this.rows) {
      const field = fields.get(path);
      // What comes back may be the answer to an earlier change of something else.
      if (!row.typing && !this.awaits(row.sent ?? 0)) row.fill(field.value);
      row.paint(field, problems[path] ?? unread[path] ?? "");
    }
    this.text.paint();
    for (const [name, fold] of this.folds) {
      const mine = [...fields.values()].filter((field) => field.group === name);
      const changed = mine.filter((field) => field.changed && !field.main).length;
      const told = (TOLD[name] ?? []).map((path) => fields.get(path)).filter((field) => field && field.value !== "");
      const words = told.map((field) => `${field.label.toLowerCase()} ${shortly(String(field.value))}`).join(", ");
      say(fold.told, `${words}${changed ? ` (${changed} changed)` : ""}`);
      const wrong = mine.some((field) => problems[field.path] ?? unread[field.path]);
      if (wrong && !fold.wrong) fold.open = true;
      fold.wrong = wrong;
    }
    if (this.official) set(this.official, { hidden: fields.get("algorithm").value === "official-code" ? null : "" });
    set(this.reset, { hidden: [...fields.values()].some((field) => field.changed && !field.main) ? null : "" });
    const note = this.get("note") || problems[""] || "";
    say(this.note, note);
    set(this.note, { "data-alarm": (this.get("note") && this.get("alarm")) || problems[""] ? "" : null });
    this.paintStart();
  }

  paintOffers() {
    const offers = this.get("suggestions");
    if (offers === this.offers) return;
    this.offers = offers;
    for (const [path, entries] of Object.entries(offers)) this.rows.get(path)?.offer(entries);
  }

  paintStart() {
    const wrong = Object.keys(this.get("problems")).length + Object.keys(this.get("text_problems")).length > 0;
    const reason = wrong ? "Correct what is marked first" : this.text.busy ? "The text is on its way" : null;
    set(this.start, { "aria-disabled": reason ? "true" : "false", title: reason, "data-pressed": null });
  }
}

/** The last part of a path, without the digest that keeps texts apart. */
function shortly(value) {
  return value.includes("/") ? value.split("/").pop().replace(/-[0-9a-f]{16}(\.\w+)$/, "$1") : value;
}

/** Tell whether somebody looks at the form: nothing is read for a form that nobody opens. */
function watch(element, tell) {
  const observer = new IntersectionObserver((entries) => tell(entries.at(-1).isIntersecting));
  observer.observe(element);
  return () => observer.disconnect();
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-setup" });
  el.append(root);
  const form = new SettingsForm(model, root);
  const stopTheme = followTheme(root);
  const names = ["fields", "problems", "suggestions", "columns", "text_problems", "upload_problem", "preview", "note", "alarm"];
  const stop = observe(model, names, form.repaint);
  const receive = (message) => form.receive(message);
  model.on("msg:custom", receive);
  let seen = false;
  const tell = (now) => now !== seen && form.send("seen", { seen: (seen = now), view: form.view });
  const stopWatching = watch(form.bar, tell);
  return () => {
    stopWatching();
    tell(false);
    model.off("msg:custom", receive);
    stop();
    stopTheme();
  };
}

export default { render };
