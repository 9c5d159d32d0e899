// Trunk and branches: a lane per run over its decisions. A click on a lane opens that run.

const TREE = { left: 14, lane: 40, top: 26, labels: [280, 400], least: 90, gap: 14 };
const LONGEST = 500; // characters of a name that are tried beside a lane

class BranchTree {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.lanes = [];
    this.from = html("input", { type: "number", min: 1, step: 1, placeholder: "present" });
    set(this.from, { "aria-label": "Branch from before which decision" });
    this.from.addEventListener("input", () => this.paint());
    this.from.addEventListener("keydown", (event) => event.key === "Enter" && this.branch.click());
    this.branch = this.button("Branch here", () => {
      if (!this.from.reportValidity()) return null;
      const value = this.from.value;
      return { kind: "branch", decision: value === "" ? null : Number(value) };
    });
    this.undo = this.button("Undo the last decision", () => ({ kind: "undo" }));
    set(this.undo, { title: "A branch from before it; this run stays as it is." });
    this.sentence = html("p", { class: "ll-sentence", role: "status" });
    this.range = html("span", {});
    const pick = html("label", { class: "ll-pick" }, "from before decision", this.from, this.range);
    const line = html("div", { class: "ll-line" }, this.branch, pick, this.undo, this.sentence);
    this.picture = svg("svg", { role: "group", "aria-label": "Tree of this run and its branches" });
    this.scroll = html("div", { class: "ll-scroll" }, this.picture);
    this.note = html("p", { class: "ll-note" });
    root.append(line, this.scroll, this.note);
    this.repaint = oncePerFrame(() => this.paint());
    this.resizer = new ResizeObserver(() => this.repaint());
    this.resizer.observe(this.scroll);
    this.paint();
  }

  get = (name) => this.model.get(name);

  button(words, message) {
    const button = html("button", { type: "button" }, words);
    button.addEventListener("click", () => {
      const asked = button.getAttribute("aria-disabled") === "true" ? null : message();
      if (asked) this.model.send({ ...asked, sent: now() });
    });
    return button;
  }

  paint() {
    const runs = this.get("runs");
    say(this.range, this.rangeInWords());
    const able = this.get("can_branch") && !this.get("busy");
    for (const button of [this.branch, this.undo]) set(button, { "aria-disabled": able ? "false" : "true" });
    say(this.sentence, this.get("sentence"));
    set(this.sentence, { "data-alarm": this.get("alarm") ? "" : null });
    this.draw(runs);
    const how = "Each line is a run, from left to right over its decisions: a ring where a branch left, a dot where a run stands. Click one to open it.";
    say(this.note, runs.length > 1 ? how : "This run has no branch yet.");
    Object.assign(this.root.dataset, { runs: runs.length, current: this.get("current") });
  }

  /** Which decisions there are, or what a branch from before the chosen one costs. */
  rangeInWords() {
    const [last, chosen] = [this.get("last"), Number(this.from.value)];
    if (!last) return "";
    if (!chosen) return `of 1 to ${last}`;
    if (this.get("stored").includes(chosen)) return `of 1 to ${last}; stored, begins at once`;
    return `of 1 to ${last}; trained again up to there, with the same actions`;
  }

  draw(runs) {
    const seen = this.scroll.clientWidth || 600;
    const labels = Math.max(TREE.labels[0], Math.min(TREE.labels[1], 0.4 * seen));
    const width = Math.max(seen, TREE.left + TREE.least + labels);
    const most = Math.max(1, ...runs.map((run) => run.decisions));
    const edge = width - labels;
    const span = edge - TREE.left;
    const at = (decision) => TREE.left + (span * Math.min(decision, most)) / most;
    const height = TREE.top + TREE.lane * Math.max(1, runs.length) - 8;
    set(this.picture, { width, height, viewBox: `0 0 ${width} ${height}` });
    const row = new Map(runs.map((run, index) => [run.id, TREE.top + TREE.lane * index]));
    const focused = this.root.getRootNode().activeElement?.dataset?.run;
    this.picture.replaceChildren(...runs.map((run) => this.lane(run, at, row, edge)));
    for (const text of this.picture.querySelectorAll("text")) shorten(text, labels - TREE.gap);
    if (focused) this.picture.querySelector(`[data-run="${CSS.escape(focused)}"]`)?.focus();
  }

  /** Whose lane a branch leaves: a branch from before its parent's own fork leaves the run that the parent came from. */
  ancestor(run) {
    const runs = new Map(this.get("runs").map((other) => [other.id, other]));
    let parent = runs.get(run.parent);
    while (parent && runs.has(parent.parent) && run.decision <= parent.decision) parent = runs.get(parent.parent);
    return parent?.id;
  }

  lane(run, at, row, edge) {
    const y = row.get(run.id);
    const parent = row.get(this.ancestor(run));
    const start = at(run.parent === null || run.parent === undefined ? 0 : Math.max(0, run.decision - 1));
    const end = Math.max(at(run.decisions), start + 4);
    const current = run.id === this.get("current");
    const group = svg("g", { class: "ll-lane", role: "button", tabindex: 0, "data-run": run.id });
    set(group, { "data-current": current ? "" : null, "aria-current": current ? "true" : null });
    if (parent !== undefined) {
      const down = `M${start},${parent}V${y - 8}q0,8 8,8H${Math.max(end, start + 8)}`;
      group.append(svg("path", { class: "ll-line-of-run", d: down }));
      group.append(svg("circle", { class: "ll-fork", cx: start, cy: parent, r: 4 }));
    } else {
      group.append(svg("path", { class: "ll-line-of-run", d: `M${start},${y}H${end}` }));
    }
    group.append(svg("circle", { class: "ll-end", cx: end, cy: y, r: current ? 6 : 4.5 }));
    const loss = run.loss === null || run.loss === undefined ? "" : `, loss ${run.loss.toFixed(3)} at ${run.evaluated}`;
    // Names stand in a column of their own, which no line runs through.
    const x = edge + TREE.gap;
    group.append(svg("path", { class: "ll-to-name", d: `M${end + 8},${y}H${x - 6}` }));
    const name = svg("text", { class: "ll-run-name", x, y: y - 2 }, run.name);
    const facts = `${counted(run.decisions, "decision")}${loss}`;
    const left = parent === undefined ? "the trunk" : run.why || `left before decision ${run.decision}`;
    group.append(name, svg("text", { class: "ll-run-facts", x, y: y + 13 }, `${facts}; ${left}`));
    group.append(svg("title", {}, `${run.name}: ${left}; ${facts}`));
    group.append(svg("rect", { class: "ll-hit", x: start - 4, y: y - 16, width: edge + TREE.labels[1] - start, height: 34 }));
    const open = () => this.model.send({ kind: "open", id: run.id, sent: now() });
    group.addEventListener("click", open);
    group.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      open();
    });
    return group;
  }
}

/** Leave as much of a text as fits beside a lane; the whole is in the tooltip. */
function shorten(text, room) {
  const whole = text.textContent;
  const fits = (size) => {
    say(text, size < whole.length ? `${whole.slice(0, size)}…` : whole);
    return text.getComputedTextLength() <= room; // 0 where nothing is laid out
  };
  let [least, most] = [0, Math.min(whole.length, LONGEST)];
  if (most === whole.length && fits(most)) return;
  while (least < most) {
    const size = Math.ceil((least + most) / 2);
    if (fits(size)) least = size;
    else most = size - 1;
  }
  fits(least);
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-tree", ...KEYS_STAY_HERE });
  root.style.setProperty("--ll-agent", model.get("semantic").agent);
  el.append(root);
  const tree = new BranchTree(model, root);
  const stopTheme = followTheme(root);
  const stop = observe(model, ["runs", "current", "stored", "last", "sentence", "alarm", "busy", "can_branch"], tree.repaint);
  return () => {
    stop();
    stopTheme();
    tree.resizer.disconnect();
  };
}

export default { render };
