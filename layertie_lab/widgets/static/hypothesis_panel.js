// Did it matter? A form to be filled in before paired runs, and the verdict between them.

const SIGNS = {
  "better": "▲ ", "worse": "▼ ", "no difference that matters": "= ", "identical": "≡ ",
};
class HypothesisPanel {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.touched = new Set();
    this.fields = {};
    this.wraps = {};
    this.wrongs = {};
    for (const field of model.get("fields")) this.field(field);
    this.fields.moment.addEventListener("change", () => this.turn());
    for (const name of ["answer", "expected"]) this.fields[name].addEventListener("change", () => this.word());
    for (const name of ["horizon", "plan"]) this.fields[name]?.addEventListener("input", () => this.paintTime());
    for (const name of ["after", "metric"]) this.fields[name].addEventListener("change", () => this.paint());
    this.go = this.button("State it and run the pairs", "state", "ll-main");
    this.explore = this.button("Only explore", "explore");
    this.pilot = this.button("Pilot", "pilot");
    this.cancel = this.button("Cancel", "cancel");
    this.bar = html("progress", { max: 1 });
    this.sentence = html("p", { class: "ll-sentence", role: "status" });
    this.elsewhere = html("p", { class: "ll-elsewhere", role: "status" });
    this.forecast = html("p", { class: "ll-forecast" });
    const wraps = (wanted) => model.get("fields").filter(wanted).map((field) => this.wraps[field.name]);
    const short = (field) => !field.folded && field.name !== "statement";
    const first = html("div", { class: "ll-fields" }, ...wraps(short));
    const second = html("div", { class: "ll-fields" }, this.wraps.statement);
    const summary = html("summary", {}, "What is compared, how, and when it is judged");
    const fold = html("details", { class: "ll-fold" }, summary);
    fold.append(html("div", { class: "ll-fields" }, ...wraps((field) => field.folded)));
    const buttons = html("div", { class: "ll-line" }, this.go, this.explore, this.pilot, this.cancel, this.bar);
    this.takes = html("p", { class: "ll-takes" });
    const explained = [
      "Each replicate is a pair: both futures, trained on the same batches.",
      "Only explore runs them without a hypothesis, and what comes of it is labelled exploratory.",
      "Pilot runs four, whose spread tells how many are needed; they do not count afterwards.",
    ];
    const help = html("p", { class: "ll-help" }, explained.join(" "));
    this.toFill = [first, second, fold, buttons, this.takes, help];
    this.form = html("form", { novalidate: "" }, ...this.toFill, this.sentence, this.elsewhere, this.forecast);
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.outcome = html("p", { class: "ll-outcome" });
    this.headline = html("p", { class: "ll-headline" });
    this.words = html("p", { class: "ll-words" });
    const fine = html("summary", {}, "Small print");
    this.fine = html("details", { class: "ll-fine" }, fine, this.words);
    this.offers = html("div", { class: "ll-offers" });
    this.files = html("div", { class: "ll-line ll-keep" });
    this.kept = html("p", { class: "ll-kept", role: "status" });
    const parts = [this.outcome, this.headline, this.fine, this.offers, this.files, this.kept];
    this.result = html("section", { class: "ll-verdict", "aria-live": "polite" }, ...parts);
    root.append(this.form, this.result);
    this.repaint = oncePerFrame(() => this.paint());
    this.paint();
  }

  get = (name) => this.model.get(name);

  field({ name, label, kind, choices, value, help }) {
    let input;
    if (kind === "choice") {
      input = html("select", {});
      input.append(...choices.map(([key, words]) => html("option", { value: key }, words)));
    } else if (kind === "long") {
      input = html("textarea", { rows: 2 });
    } else {
      input = html("input", { type: "text", ...(kind === "number" ? { inputmode: "decimal" } : {}) });
    }
    input.value = value;
    input.addEventListener("input", () => this.touched.add(name));
    set(input, { "data-field": name });
    this.fields[name] = input;
    this.wrongs[name] = html("span", { class: "ll-wrong", role: "alert" });
    const words = html("label", {}, html("span", { class: "ll-label", title: help }, label), input);
    this.wraps[name] = html("div", { class: "ll-field", "data-name": name }, words, this.wrongs[name]);
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

  /** Another moment: its actions, and a sentence that fits. */
  turn() {
    const moment = this.moment();
    const choices = moment ? moment.legal.filter((source) => source !== moment.proposed) : [];
    const words = (source) => (source === moment.layer ? "train on its own" : `tie to layer ${source}`);
    this.fields.answer.replaceChildren(...choices.map((source) => html("option", { value: source }, words(source))));
    if (moment && choices.includes(moment.answered)) this.fields.answer.value = moment.answered;
    this.turned = JSON.stringify(moment ?? null);
    this.word();
  }

  /** The statement says what is chosen until the person writes one; without an expectation there is none. */
  word() {
    const moment = this.moment();
    if (!moment || this.touched.has("statement")) return;
    const act = (source) => (source === moment.layer ? "training it on its own" : `tying it to layer ${source}`);
    const [answer, expected] = [Number(this.fields.answer.value), this.fields.expected.value];
    set(this.fields.statement, { placeholder: "Comes from what you expect, unless you write your own" });
    if (!expected) {
      this.fields.statement.value = "";
      return;
    }
    const ends = expected.startsWith("no") ? "makes no difference that matters against" : `is ${expected} than`;
    this.fields.statement.value = `For layer ${moment.layer}, ${act(answer)} ${ends} ${act(moment.proposed)}.`;
  }

  /** What the page fills in: a study's fields once more, for the person to go on from. */
  fillIn() {
    const { number, values } = this.get("filled");
    if (!number || number === this.filled) return;
    this.filled = number;
    if (values.answer === undefined) {
      // An expectation alone: of the decision that was asked about, with the rest of the form as it stands.
      const asked = this.get("moments").some((moment) => moment.id === values.moment);
      if (asked && this.fields.moment.value !== values.moment) {
        this.fields.moment.value = values.moment;
        this.turn();
      }
      this.fields.expected.value = values.expected;
      this.word();
      this.go.focus({ preventScroll: true });
      return;
    }
    this.touched.clear();
    this.fields.moment.value = values.moment;
    this.turn();
    for (const [name, value] of Object.entries(values)) if (name !== "moment") this.fields[name].value = value;
    this.word();
    this.form.querySelector("details").open = true; // what is filled in stands there too
    this.form.scrollIntoView({ block: "start" });
    this.fields.expected.focus({ preventScroll: true });
  }

  offer({ kind, words, why }) {
    const button = words ? [this.button(words, kind)] : [];
    return html("div", { class: "ll-offer" }, ...button, html("p", {}, why));
  }

  paintOffers() {
    const offers = this.get("offers");
    if (JSON.stringify(offers) !== this.offersKey) {
      this.offersKey = JSON.stringify(offers);
      const head = offers.length ? [html("p", { class: "ll-now" }, "The plan is used up. What is honest now:")] : [];
      this.offers.replaceChildren(...head, ...offers.map((each) => this.offer(each)));
    }
    const files = Object.entries(this.get("files"));
    if (JSON.stringify(files) !== this.filesKey) {
      this.filesKey = JSON.stringify(files);
      const buttons = files.map(([format, words]) => {
        const button = html("button", { type: "button", "data-keep": format }, words);
        button.addEventListener("click", () => this.model.send({ kind: "keep", format, sent: now() }));
        return button;
      });
      this.files.replaceChildren(...buttons);
    }
    say(this.kept, this.get("kept"));
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
    const moment = this.fields.moment;
    set(moment, { title: moment.selectedOptions[0]?.textContent ?? null });
  }

  /** How long it takes at most, by what was measured; nothing where nothing was. */
  paintTime() {
    const { seconds, processes, replicates, pilot } = this.get("timing");
    const horizon = Number(this.fields.horizon.value);
    const most = replicates?.[this.fields.plan?.value];
    const able = seconds && most && Number.isInteger(horizon) && horizon > 0;
    const takes = (count) => inTime(Math.ceil(count / Math.min(count, processes)) * 2 * horizon * seconds);
    const words = `The ${most} replicates of this plan take about ${able ? takes(most) : ""} at most, a pilot`;
    say(this.takes, able ? `${words} ${takes(pilot)}; by the pace so far.` : "");
  }

  paint() {
    this.paintMoments();
    this.paintTime();
    const share = this.get("share");
    const busy = share !== null && share !== undefined;
    for (const part of this.toFill) set(part, { hidden: this.get("recorded") ? "" : null });
    const able = this.get("ready") && this.get("moments").length > 0;
    for (const button of [this.go, this.explore, this.pilot]) {
      set(button, { "aria-disabled": able && !busy ? "false" : "true" });
    }
    set(this.cancel, { "aria-disabled": busy ? "false" : "true" });
    set(this.bar, { style: busy ? null : "visibility: hidden", value: busy && share >= 0 ? share : null });
    set(this.wraps.answers, { hidden: this.fields.after.value === "recorded" ? null : "" });
    set(this.wraps.probe, { hidden: this.fields.metric.value === "probe" ? null : "" });
    const wrong = this.get("wrong");
    for (const { name, folded } of this.get("fields")) {
      say(this.wrongs[name], wrong[name] ?? "");
      set(this.wraps[name], { "data-wrong": wrong[name] ? "" : null });
      if (wrong[name] && folded) this.form.querySelector("details").open = true;
    }
    say(this.sentence, this.get("sentence"));
    set(this.sentence, { "data-alarm": this.get("alarm") ? "" : null });
    say(this.elsewhere, this.get("elsewhere"));
    say(this.forecast, this.get("forecast"));
    const outcome = this.get("outcome");
    this.fillIn();
    this.paintOffers();
    const there = this.get("verdict") || this.get("forecast") || Object.keys(this.get("files")).length;
    set(this.result, { hidden: there ? null : "", "data-outcome": outcome || null });
    // Without a sentence that says it all there is no print to be small beside it.
    const fold = Boolean(this.get("headline"));
    if (!fold) this.fine.open = true;
    else if (this.headlineKey !== this.get("headline")) this.fine.open = false;
    this.headlineKey = this.get("headline");
    set(this.fine, { "data-bare": fold ? null : "" });
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
  const stop = observe(model, [...names, "verdict", "ready", "recorded", "offers", "filled", "files", "kept", "elsewhere", "timing"], panel.repaint);
  const receive = (message, buffers) => {
    if (message.kind === "file") root.dataset.saved = saveFile(message.name, buffers[0]);
  };
  model.on("msg:custom", receive);
  const view = Math.random().toString(36).slice(2);
  const tell = (seen) => model.send({ kind: "seen", view, seen });
  tell(true);
  return () => {
    tell(false);
    stop();
    model.off("msg:custom", receive);
    stopTheme();
  };
}

export default { render };
