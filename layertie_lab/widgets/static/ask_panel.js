// Buttons that ask something which takes a moment, and what comes of it.

const AGAIN = [0, 5, 10, 20, 50, 100];

/** A field that a person types into, with what it is for below it, or what is wrong with what stands in it. */
class Field {
  constructor(panel, name, { words, help, lines }) {
    this.name = name;
    // A number as text, too: a browser keeps what it takes for none to itself.
    this.input = html(lines ? "textarea" : "input", { "data-field": name, spellcheck: "false", autocomplete: "off", ...(lines ? { rows: 2 } : { type: "text", inputmode: "decimal" }) });
    this.input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      panel.ask(panel.model.get("pressed") || Object.keys(panel.model.get("questions"))[0] || "");
    });
    this.input.addEventListener("change", () => panel.keep());
    this.said = new Set(); // what this page has told the kernel, which says it back
    this.help = `${help} ${lines ? "Enter asks, Shift+Enter begins a line." : ""}`.trim();
    const id = `field-${Math.random().toString(36).slice(2)}`;
    set(this.input, { id, "aria-describedby": `${id}-about ${id}-wrong` });
    this.about = html("p", { class: "ll-help", id: `${id}-about` });
    this.wrong = html("p", { class: "ll-wrong", id: `${id}-wrong`, role: "alert" });
    this.element = html("div", { class: lines ? "ll-field ll-long" : "ll-field" }, html("label", { for: id }, words), this.input, this.about, this.wrong);
  }

  /** What stands in it, to be told. */
  tell() {
    this.said.add(this.input.value);
    return (this.known = this.input.value);
  }

  paint(typed, wrong) {
    // What comes back late shall not undo what was typed since.
    if (typed !== this.known && !this.said.has(typed)) {
      this.known = typed;
      this.input.value = typed ?? "";
    }
    say(this.about, wrong ? "" : this.help);
    say(this.wrong, wrong);
    set(this.input, { "aria-invalid": wrong ? "true" : null });
  }
}

class AskPanel {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.buttons = Object.entries(model.get("questions")).map(([name, words]) => {
      const button = html("button", { type: "button", "data-ask": name }, words);
      button.addEventListener("click", () => {
        if (button.getAttribute("aria-disabled") !== "true") this.ask(name);
      });
      return button;
    });
    this.fields = Object.entries(model.get("fields")).map(([name, field]) => new Field(this, name, field));
    this.every = html("select", {}, ...AGAIN.map((n) => html("option", { value: n }, n ? `every ${n} decisions` : "only when asked")));
    this.every.addEventListener("change", () => model.send({ kind: "every", every: Number(this.every.value) }));
    this.again = html("label", { class: "ll-again" }, model.get("repeats"), this.every);
    this.choices = Object.entries(model.get("choices")).map(([name, { words, values }]) => {
      const select = html("select", { "data-choice": name }, ...Object.entries(values).map(([value, text]) => html("option", { value }, text)));
      select.addEventListener("change", () => model.send({ kind: "choose", name, value: select.value }));
      return html("label", { class: "ll-again" }, `${words} `, select);
    });
    this.bar = html("progress", { max: 1 });
    this.sentence = html("p", { class: "ll-sentence", role: "status" });
    this.cancel = html("button", { type: "button", "data-cancel": "" }, "Cancel");
    this.cancel.addEventListener("click", () => model.send({ kind: "cancel" }));
    const files = Object.entries(model.get("files")).map(([format, words]) => {
      const button = html("button", { type: "button", "data-format": format }, words);
      button.addEventListener("click", () => model.send({ kind: "download", format }));
      return button;
    });
    this.files = html("span", { class: "ll-files" }, ...files);
    const line = html("div", { class: "ll-line" }, ...this.buttons, ...this.choices, this.again, this.bar, this.cancel, this.sentence, this.files);
    this.text = html("pre", { tabindex: 0 });
    if (this.fields.length) root.append(html("div", { class: "ll-fields" }, ...this.fields.map((field) => field.element)));
    root.append(line, this.text);
    this.repaint = oncePerFrame(() => this.paint());
    this.paint();
  }

  ask(name) {
    this.model.send({ kind: "ask", name, typed: this.typed(), sent: now() });
  }

  /** What stands in the fields. */
  typed() {
    return Object.fromEntries(this.fields.map((field) => [field.name, field.tell()]));
  }

  /** Where the page is loaded again, what was typed is there. */
  keep() {
    if (this.fields.some((field) => field.input.value !== field.known)) this.model.send({ kind: "type", typed: this.typed() });
  }

  paint() {
    const get = (name) => this.model.get(name);
    const share = get("share");
    const busy = share !== null && share !== undefined;
    for (const button of this.buttons) set(button, { "aria-disabled": get("can_ask") && !busy ? "false" : "true" });
    set(this.again, { style: get("repeats") ? null : "display: none" });
    this.every.value = get("every");
    for (const choice of this.choices) {
      const select = choice.querySelector("select");
      select.value = get("chosen")[select.dataset.choice];
    }
    for (const field of this.fields) field.paint(get("typed")[field.name], get("wrong")[field.name] ?? "");
    set(this.bar, { style: busy ? null : "display: none", value: busy && share >= 0 ? share : null });
    set(this.cancel, { style: busy && get("cancellable") ? null : "display: none" });
    say(this.sentence, get("sentence"));
    set(this.sentence, { "data-alarm": get("alarm") ? "" : null });
    say(this.text, get("text"));
    set(this.text, { style: get("text") ? null : "display: none" });
    set(this.files, { style: get("text") ? null : "display: none" });
    this.root.dataset.busy = busy;
  }
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-ask", ...KEYS_STAY_HERE });
  el.append(root);
  const panel = new AskPanel(model, root);
  const stopTheme = followTheme(root);
  const stop = observe(model, ["sentence", "alarm", "share", "text", "can_ask", "every", "chosen", "typed", "wrong"], panel.repaint);
  const receive = (message, buffers) => {
    if (message.kind === "file") root.dataset.saved = saveFile(message.name, buffers[0]);
    // Once what came with it has been drawn: before, there may be nothing to scroll to.
    if (message.kind === "reveal") requestAnimationFrame(() => requestAnimationFrame(() => root.scrollIntoView({ block: "nearest" })));
  };
  model.on("msg:custom", receive);
  // Nothing is computed that nobody looks at: a tab that is not open has no view of its panel.
  const view = Math.random().toString(36).slice(2);
  const tell = (seen) => model.send({ kind: "seen", view, seen });
  tell(true);
  return () => {
    panel.keep();
    tell(false);
    model.off("msg:custom", receive);
    stop();
    stopTheme();
  };
}

export default { render };
