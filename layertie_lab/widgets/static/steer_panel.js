// Run controls and the decision at hand. Every press leaves as a message with its time, and is shown at once.

const STATUS = {
  empty: "No run yet.",
  preparing: "Preparing the text and the model.",
  running: "Running: the agent acts.",
  pausing: "Pausing: the steps under way are finished first.",
  paused: "Paused: an action is awaited.",
  finished: "Finished: the budget is spent. Step, or run some more.",
  failed: "Failed: the run has stopped.",
  lost: "Lost: the training process is gone.",
};
const CAN_STEP = ["paused", "finished"];
const CAN_RUN = ["running", "pausing", "paused", "finished"];
const PATIENCE_MS = 2500;
const SETTLE_MS = 400; // an effect and the status that goes with it may come one after the other
const BEAT_MS = 1000;
const QUIET_MS = 3000; // a run that goes on says something more often, or is asked whether it is there
const ASK_AGAIN_BEATS = 20; // a connection that was lost and is there again has lost the question
const BEATS = 4; // counted, since a computer that slept has missed time but no answer

class SteerPanel {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.name = Math.random().toString(36).slice(2, 8);
    this.count = 0;
    this.sent = new Map(); // message id -> {time, command, button, timer}
    this.wish = null; // {status, before, id} from a press until the run has answered it or changed its status
    this.step = this.button("Step", () => this.send("Step", {}, this.step));
    this.toggle = this.button("Run", () => this.flip());
    this.toggle.classList.add("ll-main", "ll-toggle");
    this.number = html("input", { type: "number", min: 1, max: 100000, step: 1, value: 20, required: "" });
    this.number.setAttribute("aria-label", "Decisions to run");
    this.number.addEventListener("keydown", (event) => event.key === "Enter" && this.runSome());
    this.some = this.button("Run only", () => this.runSome());
    const count = html("span", { class: "ll-count" }, this.some, this.number, "decisions");
    this.said = html("span", { class: "ll-said", role: "status" });
    this.save = this.button("Save", () => this.send("Save", {}, this.save));
    this.controls = html("div", { class: "ll-controls" }, this.step, this.toggle, count, this.save, this.said);
    this.status = html("p", { class: "ll-status", role: "status" });
    const means = (word) => ({ title: `${word[0].toUpperCase()}${word.slice(1)}: ${this.get("glossary")[word]}` });
    this.rates = html("p", { class: "ll-rates", ...means("decision") });
    this.error = html("p", { class: "ll-error", role: "alert" });
    this.title = html("strong", { title: [means("decision").title, means("episode").title].join("\n") });
    this.last = html("p", { class: "ll-last", ...means("override") });
    this.opinion = html("span", { class: "ll-opinion", title: [means("proposal").title, means("epsilon").title].join("\n") });
    this.actions = new ActionList(this);
    this.hint = html("span", { class: "ll-hint" });
    this.answers = html("span", { class: "ll-expect", role: "group", "aria-label": "What you expect of it" });
    this.asking = html("p", { class: "ll-asking", hidden: "" }, this.hint, this.answers);
    this.keep = html("input", { type: "checkbox" });
    this.keep.addEventListener("change", () => {
      // Shown at once; the run's own word on it follows.
      this.model.set("keep", this.keep.checked);
      this.send("SetKeep", { keep: this.keep.checked });
    });
    this.keepLine = html("label", { class: "ll-keep" }, this.keep, "Keep running when I close this page");
    this.keepLine.title = "Else it is saved and ended: at once, or within two minutes if the browser was killed.";
    const hand = html("div", { class: "ll-hand", "aria-live": "off" }, this.title, this.opinion);
    const lines = html("div", { class: "ll-lines" }, this.status, this.rates);
    root.append(this.controls, lines, this.error, this.last, this.asking, hand, this.actions.box, this.actions.key);
    root.append(this.keepLine);
    this.repaint = oncePerFrame(() => this.paint());
    this.heard = performance.now();
    this.unanswered = 0; // beats since the other side was asked whether it is there
    this.silent = false;
    this.heart = setInterval(() => this.beat(), BEAT_MS);
    this.paint();
  }

  get = (name) => this.model.get(name);

  button(words, act) {
    const button = html("button", { type: "button" }, words);
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-disabled") !== "true") act();
    });
    return button;
  }

  // -- what leaves -------------------------------------------------------------------------------------------------

  /** Ask for what a button is for; the names of commands are the other side's (`buttons`). */
  send(name, values = {}, button = null, wanted = null) {
    const id = `${this.name}-${++this.count}`;
    const command = this.get("buttons")[name];
    const entry = { time: performance.now(), command, button };
    entry.timer = setTimeout(() => this.late(id), PATIENCE_MS);
    this.sent.set(id, entry);
    if (button) button.setAttribute("data-pressed", "");
    if (wanted) this.wish = { status: wanted, before: this.get("status"), id };
    this.model.send({ kind: "press", command, arguments: values, id, sent: now() });
    this.root.dataset.sent = id;
    this.paint();
  }

  flip() {
    const running = this.shownStatus() === "running";
    if (running) this.send("Pause", { finish: true }, this.toggle, "paused");
    else this.send("Run", {}, this.toggle, "running");
  }

  runSome() {
    if (this.some.getAttribute("aria-disabled") === "true" || !this.number.reportValidity()) return;
    this.send("Run", { decisions: Number(this.number.value) }, this.some, "running");
  }

  answer(source, button) {
    const layer = this.get("layer");
    if (this.get("can_act") && layer !== null) {
      this.send("Commit", { choice: source, decision: this.get("asked") }, button);
    }
  }

  /** Ask whether the other side is there, where something should be heard of it and is not. */
  beat() {
    if (this.unanswered && ++this.unanswered > BEATS && !this.silent) {
      this.silent = true;
      this.repaint();
    }
    const expected = this.waiting || ["preparing", "running"].includes(this.get("status"));
    // Asked seldom: the question waits for one that is busy, and a host complains of each that reaches nobody.
    const again = this.unanswered > 0 && this.unanswered % ASK_AGAIN_BEATS === 0;
    if (!expected || (this.unanswered && !again) || performance.now() - this.heard < QUIET_MS) return;
    if (again) return this.model.send({ kind: "ping" });
    this.unanswered = 1;
    this.model.send({ kind: "ping" });
  }

  // -- what comes back ---------------------------------------------------------------------------------------------

  /** Whatever comes shows that the other side is there. */
  hear() {
    this.heard = performance.now();
    this.unanswered = 0;
    if (this.silent) this.waiting = this.silent = false;
    this.repaint();
  }

  receive(message) {
    this.hear();
    if (message.kind === "beat") return this.model.send({ kind: "beat", number: message.number });
    const entry = this.sent.get(message.id);
    if (!entry || !["ack", "acted", "refused"].includes(message.kind)) return;
    const spent = (performance.now() - entry.time).toFixed(1);
    // Two threads answer: a fast effect may be told before the receipt.
    clearTimeout(entry.timer);
    entry.button?.removeAttribute("data-pressed");
    this.waiting = false;
    entry[message.kind] = true;
    if (message.kind === "ack") {
      Object.assign(this.root.dataset, { ackMs: spent, ackKind: entry.command });
    } else if (message.kind === "acted") {
      Object.assign(this.root.dataset, { actedMs: spent, actedKind: entry.command });
    }
    if (message.kind === "acted") setTimeout(() => this.forget(message.id), SETTLE_MS);
    else if (message.kind === "refused" || !message.good) this.forget(message.id);
    if (entry.ack && (entry.acted || entry.refused)) this.sent.delete(message.id);
    this.repaint();
  }

  /** From now on what the run says is shown, not what a press wished for. */
  forget(id) {
    if (this.wish?.id === id) this.wish = null;
    this.repaint();
  }

  late(id) {
    const entry = this.sent.get(id);
    entry?.button?.removeAttribute("data-pressed");
    this.waiting = true;
    this.wish = null;
    this.paint();
  }

  // -- what is shown -----------------------------------------------------------------------------------------------

  shownStatus() {
    const status = this.get("status");
    if (this.wish && (status !== this.wish.before || !CAN_RUN.includes(status))) this.wish = null;
    if (this.silent) return "silent";
    // Nothing is paused before the run says so.
    return this.wish?.status === "paused" ? "pausing" : (this.wish?.status ?? status);
  }

  paint() {
    const status = this.shownStatus();
    this.root.dataset.status = status;
    const waits = this.waiting ? "Waiting for the notebook to answer; it may be busy." : this.get("status_text");
    const words = this.silent ? this.silenceInWords() : waits;
    const offer = status === "lost" && this.get("can_resume") ? " Step or Run goes on." : "";
    say(this.status, (words || STATUS[status] || status) + offer);
    say(this.rates, this.ratesInWords(status));
    say(this.error, this.get("error"));
    say(this.said, this.get("said"));
    say(this.toggle, status === "running" ? "Pause" : "Run");
    const again = status === "lost" && this.get("can_resume");
    const pause = (words) => (status === "running" ? words : "There is no run here to go on with");
    allow(this.step, CAN_STEP.includes(status) || again, pause("Pause the run to take single decisions"));
    const spent = status === "finished";
    allow(this.toggle, (CAN_RUN.includes(status) && !spent) || again, spent ? "The budget is spent: run some more" : null);
    allow(this.some, CAN_STEP.includes(status) || again, pause("Pause the run first"));
    allow(this.save, CAN_RUN.includes(status) && this.get("can_save"));
    set(this.keepLine, { style: this.get("can_keep") ? null : "display: none" });
    this.keep.checked = this.get("keep");
    this.keep.disabled = this.silent;
    this.paintHand();
    this.actions.paint();
    // While there is something to ask, it has the room of what explains the bars.
    say(this.hint, this.get("hint"));
    this.asking.hidden = !this.get("hint");
    this.actions.key.hidden = !this.asking.hidden;
    this.paintAnswers();
  }

  /** What may be expected of an override: one press opens its hypothesis with that filled in. */
  paintAnswers() {
    const answers = this.get("hint") ? Object.entries(this.get("expectations")) : [];
    if (JSON.stringify(answers) === this.answersKey) return;
    this.answersKey = JSON.stringify(answers);
    const buttons = answers.map(([value, words]) => {
      const button = this.button(words, () => this.model.send({ kind: "expect", value }));
      set(button, { "data-expect": value });
      return button;
    });
    this.answers.replaceChildren(...buttons);
  }

  silenceInWords() {
    const kept = this.get("keep") ? "The run is kept and goes on without it. " : "What was trained is saved. ";
    const fate = this.get("can_keep") ? kept : "";
    return `The server does not answer: it was closed, or is busy. ${fate}If it was closed, start it again and reload this page.`;
  }

  ratesInWords(status) {
    const [decisions, steps] = [this.get("decisions_per_second"), this.get("steps_per_second")];
    const [reached, trained] = [counted(this.get("decision"), "decision"), counted(this.get("step"), "step")];
    if (status !== "running" || !decisions) return `${reached}, ${trained} so far`;
    const [done, taken] = [decisions, steps].map((rate) => rate.toFixed(1));
    return `${reached} so far, ${done} decisions and ${taken} steps per second`;
  }

  /** What was decided last, while the next decision is at hand. */
  paintLast() {
    const { decision, layer, choice, proposed, by } = this.get("last");
    const what = decision === undefined ? "" : doneInWords({ layer, choice, proposed, by, why: "" });
    say(this.last, what && `Decision ${decision}, layer ${layer}: ${what}`);
    set(this.last, { "data-by": what ? by : "", "data-override": what && choice !== proposed ? "" : null });
  }

  paintHand() {
    this.paintLast();
    const layer = this.get("layer");
    if (layer === null) {
      say(this.title, "No layer is at hand.");
      say(this.opinion, "");
      return;
    }
    say(this.title, `Layer ${layer}, decision ${this.get("asked")}, episode ${this.get("episode")}`);
    const unasked = this.get("can_act") ? "The agent is asked when the run goes on." : "";
    say(this.opinion, this.get("proposed") === null ? unasked : this.opinionInWords(layer));
    const against = this.get("choice") !== null && this.get("choice") !== this.get("proposed");
    set(this.opinion, { "data-by": this.get("choice") === null ? "" : this.get("by"), "data-override": against ? "" : null });
  }

  /** What the agent would do, or what was done, by whom and instead of what. */
  opinionInWords(layer) {
    const [proposed, choice] = [this.get("proposed"), this.get("choice")];
    const act = (source) => (source === layer ? "train it on its own" : `tie it to layer ${source}`);
    const why = this.whyInWords();
    return choice === null ? `The agent would ${act(proposed)}${why}.` : doneInWords({ layer, choice, proposed, by: this.get("by"), why });
  }

  whyInWords() {
    const epsilon = this.get("epsilon");
    const [values, legal] = [this.get("q_values"), this.get("legal")];
    const highest = values[legal.indexOf(this.get("proposed"))] >= Math.max(...values);
    // An agent may keep a tie though another is worth more on average: Reasons has its rule.
    const why = this.get("explored") ? "random draw" : values.length ? (highest ? "highest value" : "by its rule, see Reasons") : "";
    const parts = [why, epsilon === null ? "" : `epsilon ${epsilon.toFixed(2)}`].filter(Boolean);
    return parts.length ? ` (${parts.join("; ")})` : "";
  }
}

/** What was committed, by whom, and instead of what. */
function doneInWords({ layer, choice, proposed, by, why }) {
  const done = (source) => (source === layer ? "trained it on its own" : `tied it to layer ${source}`);
  const who = { human: "You", replay: "The log that is replayed" }[by] ?? "The agent";
  if (choice !== proposed) return `${who} ${done(choice)}; the agent would have ${done(proposed)}${why}.`;
  return who === "You" ? `You ${done(choice)}, as the agent would have.` : `${who} ${done(choice)}${why}.`;
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-steer", ...KEYS_STAY_HERE });
  root.style.setProperty("--ll-agent", model.get("semantic").agent);
  root.style.setProperty("--ll-override", model.get("semantic").override);
  el.append(root);
  const panel = new SteerPanel(model, root);
  const stopTheme = followTheme(root);
  const names = [
    "status", "status_text", "error", "decision", "step", "asked", "episode", "layer", "legal", "owners", "q_values", "q_deviations", "q_scale", "present",
    "proposed", "explored", "epsilon", "choice", "by", "last", "can_act", "can_save", "can_keep", "can_resume", "keep", "decisions_per_second",
    "steps_per_second", "palette", "said", "hint", "expectations",
  ];
  const stop = observe(model, names, () => panel.hear());
  const receive = (message) => panel.receive(message);
  // A hidden page is still there; only pagehide is a farewell, and a reload says hello again.
  const leave = () => model.send({ kind: "farewell", sent: now() });
  model.on("msg:custom", receive);
  window.addEventListener("pagehide", leave);
  model.send({ kind: "ready", sent: now() });
  return () => {
    clearInterval(panel.heart);
    stop();
    stopTheme();
    model.off("msg:custom", receive);
    window.removeEventListener("pagehide", leave);
  };
}

export default { render };
