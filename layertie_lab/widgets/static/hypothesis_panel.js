// Did it matter? A form to be filled in before twins run, and the verdict between them.

const SIGNS = {
  "better": "▲ ", "worse": "▼ ", "no difference that matters": "= ", "identical": "≡ ",
};
const NUMBERS = { horizon: "optimizer steps", smallest_difference: "" };
const FOLDED = ["metric", "smallest_difference", "after", "plan", "answers", "probe"];
const LABELS = {
  moment: "Which decision", answer: "Answer in place of the agent's", expected: "I expect the answer to be",
  statement: "My hypothesis, in a sentence", horizon: "After how many optimizer steps", metric: "Compared by",
  smallest_difference: "Smallest difference that matters", after: "After the fork", plan: "Looks",
  answers: "Answers that follow, in order", probe: "Text of the probe",
};

class HypothesisPanel {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.touched = new Set();
    const defaults = model.get("defaults");
    this.fields = {};
    this.wraps = {};
    this.wrongs = {};
    for (const name of Object.keys(LABELS)) this.field(name, defaults[name]);
    this.fields.moment.addEventListener("change", () => this.turn());
    for (const name of ["answer", "expected"]) this.fields[name].addEventListener("change", () => this.word());
    for (const name of ["after", "metric"]) this.fields[name].addEventListener("change", () => this.paint());
    this.go = this.button("State it and run the twins", "state", "ll-main");
    this.explore = this.button("Only explore", "explore");
    set(this.explore, { title: "Run twins without a hypothesis: what comes of it is labelled exploratory." });
    this.pilot = this.button("Pilot", "pilot");
    set(this.pilot, { title: "Four replicates whose spread tells how many are needed; they do not count afterwards." });
    this.cancel = this.button("Cancel", "cancel");
    this.bar = html("progress", { max: 1 });
    this.sentence = html("p", { class: "ll-sentence", role: "status" });
    this.forecast = html("p", { class: "ll-forecast" });
    const wraps = (names) => names.map((name) => this.wraps[name]);
    const first = html("div", { class: "ll-fields" }, ...wraps(["moment", "answer", "expected", "horizon"]));
    const second = html("div", { class: "ll-fields" }, this.wraps.statement);
    const fold = html("details", { class: "ll-fold" }, html("summary", {}, "What is compared, how, and when one looks"));
    fold.append(html("div", { class: "ll-fields" }, ...wraps(FOLDED)));
    const buttons = html("div", { class: "ll-line" }, this.go, this.explore, this.pilot, this.cancel, this.bar);
    this.form = html("form", { novalidate: "" }, first, second, fold, buttons, this.sentence, this.forecast);
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.outcome = html("p", { class: "ll-outcome" });
    this.headline = html("p", { class: "ll-headline" });
    this.words = html("p", { class: "ll-words" });
    const parts = [this.outcome, this.headline, this.words];
    this.result = html("section", { class: "ll-verdict", "aria-live": "polite" }, ...parts);
    root.append(this.form, this.result);
    this.repaint = oncePerFrame(() => this.paint());
    this.paint();
  }

  get = (name) => this.model.get(name);

  field(name, value) {
    const choices = this.get("offers")[name];
    let input;
    if (choices || name === "moment" || name === "answer") {
      input = html("select", {});
      if (choices) input.append(...choices.map(([key, words]) => html("option", { value: key }, words)));
    } else if (name === "probe") {
      input = html("textarea", { rows: 2 });
    } else {
      input = html("input", { type: "text", ...(name in NUMBERS ? { inputmode: "decimal" } : {}) });
    }
    if (value !== undefined) input.value = value;
    input.addEventListener("input", () => this.touched.add(name));
    set(input, { "data-field": name });
    this.fields[name] = input;
    this.wrongs[name] = html("span", { class: "ll-wrong", role: "alert" });
    const label = html("label", {}, html("span", { class: "ll-label" }, LABELS[name]), input);
    this.wraps[name] = html("div", { class: "ll-field", "data-name": name }, label, this.wrongs[name]);
  }

  button(words, kind, style = "") {
    const button = html("button", { type: "button", class: style, "data-press": kind }, words);
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-disabled") === "true") return;
      const values = Object.fromEntries(Object.entries(this.fields).map(([name, input]) => [name, input.value]));
      this.model.send({ kind, values, sent: now() });
    });
    return button;
  }

  moment() {
    return this.get("moments").find((moment) => moment.id === this.fields.moment.value);
  }

  /** Another moment: its answers, and a sentence that fits. */
  turn() {
    const moment = this.moment();
    const choices = moment ? moment.legal.filter((source) => source !== moment.proposed) : [];
    const words = (source) => (source === moment.layer ? "train on its own" : `tie to layer ${source}`);
    this.fields.answer.replaceChildren(...choices.map((source) => html("option", { value: source }, words(source))));
    if (moment && choices.includes(moment.answered)) this.fields.answer.value = moment.answered;
    this.turned = JSON.stringify(moment ?? null);
    this.word();
  }

  /** The statement says what is chosen until the person writes one. */
  word() {
    const moment = this.moment();
    if (!moment || this.touched.has("statement")) return;
    const act = (source) => (source === moment.layer ? "training it on its own" : `tying it to layer ${source}`);
    const [answer, expected] = [Number(this.fields.answer.value), this.fields.expected.value];
    const ends = expected.startsWith("no") ? "makes no difference that matters against" : `is ${expected} than`;
    this.fields.statement.value = `For layer ${moment.layer}, ${act(answer)} ${ends} ${act(moment.proposed)}.`;
  }

  paintMoments() {
    const moments = this.get("moments");
    const key = JSON.stringify(moments.map((moment) => [moment.id, moment.words]));
    if (key !== this.momentsKey) {
      this.momentsKey = key;
      const before = this.fields.moment.value;
      const options = moments.map((moment) => html("option", { value: moment.id }, moment.words));
      if (!options.length) options.push(html("option", { value: "" }, "none yet: pause the run, or overrule the agent"));
      this.fields.moment.replaceChildren(...options);
      if (moments.some((moment) => moment.id === before)) this.fields.moment.value = before;
    }
    const chosen = this.get("chosen");
    if (chosen && chosen !== this.suggested && moments.some((moment) => moment.id === chosen)) {
      this.suggested = chosen;
      this.fields.moment.value = chosen;
    }
    if (this.turned !== JSON.stringify(this.moment() ?? null)) this.turn();
  }

  paint() {
    this.paintMoments();
    const share = this.get("share");
    const busy = share !== null && share !== undefined;
    const able = this.get("ready") && this.get("moments").length > 0;
    for (const button of [this.go, this.explore, this.pilot]) {
      set(button, { "aria-disabled": able && !busy ? "false" : "true" });
    }
    set(this.cancel, { "aria-disabled": busy ? "false" : "true" });
    set(this.bar, { style: busy ? null : "visibility: hidden", value: busy && share >= 0 ? share : null });
    set(this.wraps.answers, { hidden: this.fields.after.value === "recorded" ? null : "" });
    set(this.wraps.probe, { hidden: this.fields.metric.value === "probe" ? null : "" });
    const wrong = this.get("wrong");
    for (const name of Object.keys(LABELS)) {
      say(this.wrongs[name], wrong[name] ?? "");
      set(this.wraps[name], { "data-wrong": wrong[name] ? "" : null });
      if (wrong[name] && FOLDED.includes(name)) this.form.querySelector("details").open = true;
    }
    say(this.sentence, this.get("sentence"));
    set(this.sentence, { "data-alarm": this.get("alarm") ? "" : null });
    say(this.forecast, this.get("forecast"));
    const outcome = this.get("outcome");
    set(this.result, { hidden: this.get("verdict") ? null : "", "data-outcome": outcome || null });
    say(this.outcome, outcome ? `${this.get("label")}: ${SIGNS[outcome] ?? ""}${outcome}` : this.get("label"));
    say(this.headline, this.get("headline"));
    say(this.words, this.get("verdict"));
    Object.assign(this.root.dataset, { busy, outcome, moments: this.get("moments").length });
  }
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-hypothesis", ...KEYS_STAY_HERE });
  el.append(root);
  const panel = new HypothesisPanel(model, root);
  const stopTheme = followTheme(root);
  const names = ["moments", "chosen", "wrong", "sentence", "alarm", "share", "forecast", "outcome", "label", "headline"];
  const stop = observe(model, [...names, "verdict", "ready"], panel.repaint);
  return () => {
    stop();
    stopTheme();
  };
}

export default { render };
