// The decisions as a live table. Rows come by message; sorting and scrolling stay.

const MOST_ROWS = 500;
const FACES = [
  { head: "Decision", key: (d) => d.decision, title: "Counted from 1; a diamond marks a person's override" },
  { head: "Layer", key: (d) => d.layer, title: "The layer asked about" },
  { head: "Action", key: (d) => d.choice, title: "What was done" },
  { head: "Before", key: (d) => d.present, title: "The layer's tie before" },
  { head: "Who", key: (d) => d.by, title: "Who acted" },
  { head: "Why", key: (d) => whyInWords(d), title: "Why this action" },
  { head: "Value", key: (d) => d.q_choice, number: true, title: "The agent's value of the action (Q value)" },
  { head: "Reward", key: (d) => d.reward, number: true, title: "What the agent was told, in its own units" },
  { head: "Training loss", key: (d) => d.train_loss, number: true, title: "Mean over the decision's steps, nats per token" },
  { head: "Owners", key: (d) => d.owners, number: true, title: "Independent layers after it" },
  { head: "Trainable", key: (d) => d.trainable_share, number: true, title: "Trainable parameters, in percent of the untied model" },
];

class DecisionTable {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.rows = new Map(); // decision -> {data, element}
    this.count = 0;
    this.by = 0;
    this.up = false;
    this.heads = FACES.map((face, at) => this.head(face, at));
    this.body = html("tbody", {});
    this.body.addEventListener("keydown", (event) => this.press(event));
    const table = html("table", {}, html("thead", {}, html("tr", {}, ...this.heads)), this.body);
    this.say = html("p", { class: "ll-say" });
    this.problem = html("p", { class: "ll-wrong", role: "alert" });
    const files = [["parquet", "Parquet"], ["csv", "CSV"]].map(([format, words]) => {
      const button = html("button", { type: "button", "data-format": format }, `Download ${words}`);
      button.addEventListener("click", () => model.send({ kind: "download", format }));
      return button;
    });
    const line = html("div", { class: "ll-line" }, this.say, html("span", { class: "ll-files" }, ...files));
    this.box = html("div", { class: "ll-box", tabindex: 0, role: "region", "aria-label": "Decisions" }, table);
    root.append(line, this.problem, this.box);
    this.repaint = oncePerFrame(() => this.paint());
    this.paint();
  }

  head(face, at) {
    const button = html("button", { type: "button", title: `${face.title}. Press to sort.` }, face.head);
    button.addEventListener("click", () => {
      this.up = this.by === at ? !this.up : !face.number && at !== 0;
      this.by = at;
      this.repaint();
    });
    return html("th", { scope: "col", class: face.number ? "ll-number" : null }, button);
  }

  receive(message, buffers) {
    if (message.kind === "file") {
      this.root.dataset.saved = saveFile(message.name, buffers[0]);
      return;
    }
    if (message.kind === "reset") {
      this.rows.clear();
      this.columns = message.columns;
    }
    for (const values of message.rows ?? []) this.add(values);
    while (this.rows.size > MOST_ROWS) this.rows.delete(this.rows.keys().next().value);
    this.count = message.count;
    this.repaint();
  }

  add(values) {
    const data = Object.fromEntries(this.columns.map((name, at) => [name, values[at]]));
    this.rows.delete(data.decision);
    this.rows.set(data.decision, { data, element: null });
  }

  paint() {
    const key = FACES[this.by].key;
    const sorted = [...this.rows.values()].sort((a, b) => {
      const order = compare(key(a.data), key(b.data)) || a.data.decision - b.data.decision;
      return this.up ? order : -order;
    });
    this.heads.forEach((head, at) => {
      set(head, { "aria-sort": at === this.by ? (this.up ? "ascending" : "descending") : null });
    });
    const elements = sorted.map((row) => (row.element ??= this.element(row.data)));
    if (elements.length !== this.body.children.length || elements.some((each, at) => each !== this.body.children[at])) {
      const top = this.box.scrollTop;
      this.body.replaceChildren(...elements);
      this.box.scrollTop = top;
    }
    this.rove(elements);
    const part = this.count > sorted.length ? `The newest ${sorted.length} of ${this.count} decisions.` : null;
    say(this.say, part ?? (sorted.length ? `${counted(sorted.length, "decision")}. Press one to look back at it.` : "No decision has been made yet."));
    say(this.problem, this.model.get("problem"));
    this.root.dataset.rows = sorted.length;
  }

  /** One row is a stop of the Tab key, the others are reached by arrows: that which was there last, else the first. */
  rove(elements, to = elements.find((each) => each.dataset.decision === this.stop) ?? elements[0]) {
    for (const each of elements) set(each, { tabindex: each === to ? 0 : -1 });
    // Rows that can be reached scroll the box they are in; an empty one is scrolled by itself.
    set(this.box, { tabindex: elements.length ? null : 0 });
  }

  press(event) {
    const rows = [...this.body.children];
    const at = rows.indexOf(event.target.closest("tr"));
    const last = rows.length - 1;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 10, PageUp: at - 10, Home: 0, End: last }[event.key];
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      rows[at]?.click();
    } else if (to !== undefined) {
      event.preventDefault();
      const row = rows[Math.max(0, Math.min(last, to))];
      this.stop = row.dataset.decision;
      this.rove(rows, row);
      row.focus({ preventScroll: true });
      row.scrollIntoView({ block: "nearest" });
    }
  }

  element(d) {
    const mark = d.overridden ? svg("svg", { width: 12, height: 12, role: "img", "aria-label": "override" }) : "";
    if (mark) mark.append(svg("path", { class: "ll-override", d: "M6,1l5,5l-5,5l-5,-5z" }));
    const cells = [
      html("td", {}, String(d.decision), mark),
      html("td", {}, String(d.layer)),
      html("td", {}, tie(d.layer, d.choice)),
      html("td", { class: "ll-soft" }, tie(d.layer, d.present)),
      html("td", {}, d.by === "human" ? "a person" : d.by === "agent" ? "the agent" : d.by),
      html("td", {}, whyInWords(d)),
      html("td", { class: "ll-number" }, d.q_choice === null ? "" : inThousandths(d.q_choice)),
      html("td", { class: "ll-number" }, inThousandths(d.reward)),
      html("td", { class: "ll-number" }, inThousandths(d.train_loss)),
      html("td", { class: "ll-number" }, String(d.owners)),
      html("td", { class: "ll-number" }, `${(100 * d.trainable_share).toFixed(1)} %`),
    ];
    const row = html("tr", { "data-decision": d.decision, "data-by": d.by, "data-override": d.overridden ? "" : null }, ...cells);
    row.addEventListener("focus", () => (this.stop = row.dataset.decision));
    row.addEventListener("click", () => this.model.send({ kind: "look", decision: d.decision }));
    return row;
  }
}

function tie(layer, source) {
  return source === layer ? "on its own" : `tie to ${source}`;
}

function whyInWords(d) {
  if (d.overridden) return `override; the agent: ${tie(d.layer, d.proposed)}`;
  if (d.by === "human") return "as the agent proposed";
  if (d.explored) return d.epsilon === null ? "random draw" : `random draw (chance ${d.epsilon.toFixed(2)})`;
  // An agent may keep a tie though another is worth more on average, as Reasons says.
  return d.q_choice === null || d.q_choice < d.q_highest ? "its rule" : "highest value";
}

function compare(a, b) {
  if (a === b) return 0;
  if (a === null || a === undefined) return -1;
  if (b === null || b === undefined) return 1;
  return a < b ? -1 : 1;
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-table" });
  const semantic = model.get("semantic");
  root.style.setProperty("--ll-override", semantic.override);
  root.style.setProperty("--ll-override-edge", semantic.override_edge);
  el.append(root);
  const table = new DecisionTable(model, root);
  const stopTheme = followTheme(root);
  const stop = observe(model, ["problem"], table.repaint);
  const receive = (message, buffers) => table.receive(message, buffers);
  model.on("msg:custom", receive);
  model.send({ kind: "ready" });
  return () => {
    stop();
    stopTheme();
    model.off("msg:custom", receive);
  };
}

export default { render };
