// Buttons that ask something which takes a moment, and what comes of it.

const AGAIN = [0, 5, 10, 20, 50, 100];

class AskPanel {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.buttons = Object.entries(model.get("questions")).map(([name, words]) => {
      const button = html("button", { type: "button", "data-ask": name }, words);
      button.addEventListener("click", () => {
        if (button.getAttribute("aria-disabled") !== "true") model.send({ kind: "ask", name, sent: now() });
      });
      return button;
    });
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
    this.lead = html("span", { class: "ll-lead" });
    this.words = html("span", {});
    this.text = html("pre", { tabindex: 0 }, this.lead, this.words);
    root.append(line, this.text);
    this.repaint = oncePerFrame(() => this.paint());
    this.paint();
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
    set(this.bar, { style: busy ? null : "display: none", value: busy && share >= 0 ? share : null });
    set(this.cancel, { style: busy && get("cancellable") ? null : "display: none" });
    say(this.sentence, get("sentence"));
    set(this.sentence, { "data-alarm": get("alarm") ? "" : null });
    say(this.lead, get("lead"));
    say(this.words, get("text"));
    set(this.text, { style: get("text") ? null : "display: none" });
    set(this.files, { style: get("text") ? null : "display: none" });
    this.root.dataset.busy = busy;
  }
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-ask" });
  el.append(root);
  const panel = new AskPanel(model, root);
  const stopTheme = followTheme(root);
  const stop = observe(model, ["sentence", "alarm", "share", "lead", "text", "can_ask", "every", "chosen"], panel.repaint);
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
    tell(false);
    model.off("msg:custom", receive);
    stop();
    stopTheme();
  };
}

export default { render };
