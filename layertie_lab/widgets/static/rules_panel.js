// Constraints on the actions. What is typed stays in the browser until it is applied.

class RulesPanel {
  constructor(model, root) {
    this.model = model;
    const text = (name, words, hint) => this.row(name, words, hint, html("input", { type: "text" }));
    const number = html("input", { type: "number", min: 0, step: 1 });
    this.inputs = {};
    this.hints = {};
    this.now = html("p", { class: "ll-in-force" });
    const rows = [
      text("independent", "Always on their own", "layer numbers; -1 is the last layer"),
      this.row("most_owners", "Most independent layers", "0 = no limit", number),
      this.row("neighbours", "Tie only to the layer before", "", html("input", { type: "checkbox" })),
      text("locked", "Keep their source", "layer numbers; nobody may change them"),
    ];
    this.apply = html("button", { type: "button", class: "ll-main" }, "Apply");
    this.apply.addEventListener("click", () => {
      if (this.apply.getAttribute("aria-disabled") === "true") return;
      const read = (input) => (input.type === "checkbox" ? input.checked : input.value);
      const values = Object.fromEntries(Object.entries(this.inputs).map(([name, input]) => [name, read(input)]));
      model.send({ kind: "apply", values, sent: now() });
    });
    this.sentence = html("p", { class: "ll-sentence", role: "status" });
    root.append(this.now, ...rows, html("div", { class: "ll-line" }, this.apply, this.sentence));
    this.repaint = oncePerFrame(() => this.paint());
    this.fill();
    this.paint();
  }

  row(name, words, hint, input) {
    this.inputs[name] = input;
    set(input, { "data-rule": name });
    const label = html("span", { class: "ll-label" }, words);
    this.hints[name] = { element: html("span", { class: "ll-hint" }), words: hint };
    return html("label", { class: "ll-rule" }, label, input, this.hints[name].element);
  }

  /** The fields as the constraints that apply have them. */
  fill() {
    for (const [name, input] of Object.entries(this.inputs)) {
      const value = this.model.get(name);
      if (input.type === "checkbox") input.checked = value;
      else input.value = value;
    }
  }

  paint() {
    const get = (name) => this.model.get(name);
    say(this.now, get("in_force"));
    for (const [name, { element, words }] of Object.entries(this.hints)) {
      const wrong = get("wrong")[name];
      say(element, wrong ?? words);
      set(element, { "data-alarm": wrong ? "" : null, role: wrong ? "alert" : null });
    }
    say(this.sentence, get("sentence"));
    set(this.sentence, { "data-alarm": get("alarm") ? "" : null });
    set(this.apply, { "aria-disabled": get("can_apply") ? "false" : "true" });
  }
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-rules", ...KEYS_STAY_HERE });
  el.append(root);
  const panel = new RulesPanel(model, root);
  const stopTheme = followTheme(root);
  const fields = observe(model, ["independent", "most_owners", "neighbours", "locked"], () => panel.fill());
  const stop = observe(model, ["in_force", "sentence", "alarm", "can_apply", "wrong"], panel.repaint);
  return () => {
    fields();
    stop();
    stopTheme();
  };
}

export default { render };
