// Trunk and branches: a lane per run over its decisions. A click on a lane opens that run.

const TREE = { left: 14, lane: 40, top: 26, labels: 330, least: 120 };

class BranchTree {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.lanes = [];
    this.from = html("select", { "aria-label": "Branch from before which decision" });
    this.branch = this.button("Branch here", () => {
      const value = this.from.value;
      return { kind: "branch", decision: value === "" ? null : Number(value) };
    });
    this.undo = this.button("Undo the last decision", () => ({ kind: "undo" }));
    set(this.undo, { title: "A branch from before it; this run stays as it is." });
    this.sentence = html("p", { class: "ll-sentence", role: "status" });
    const pick = html("label", { class: "ll-pick" }, "from before", this.from);
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
      if (button.getAttribute("aria-disabled") !== "true") this.model.send({ ...message(), sent: now() });
    });
    return button;
  }

  paint() {
    const runs = this.get("runs");
    const key = JSON.stringify(this.get("stored"));
    if (key !== this.storedKey) {
      this.storedKey = key;
      const before = this.from.value;
      const options = [html("option", { value: "" }, "the present decision")];
      for (const decision of this.get("stored")) options.push(html("option", { value: decision }, `decision ${decision}`));
      this.from.replaceChildren(...options);
      this.from.value = before;
      if (this.from.selectedIndex < 0) this.from.selectedIndex = 0;
    }
    const able = this.get("can_branch") && !this.get("busy");
    for (const button of [this.branch, this.undo]) set(button, { "aria-disabled": able ? "false" : "true" });
    say(this.sentence, this.get("sentence"));
    set(this.sentence, { "data-alarm": this.get("alarm") ? "" : null });
    this.draw(runs);
    const how = "Each line is a run from left to right over its decisions; a branch leaves where its decision was taken anew. Click one to open it.";
    say(this.note, runs.length > 1 ? how : "This run has no branch yet.");
    Object.assign(this.root.dataset, { runs: runs.length, current: this.get("current") });
  }

  draw(runs) {
    const width = Math.max(this.scroll.clientWidth || 600, TREE.left + TREE.least + TREE.labels);
    const most = Math.max(1, ...runs.map((run) => run.decisions));
    const span = width - TREE.left - TREE.labels;
    const at = (decision) => TREE.left + (span * Math.min(decision, most)) / most;
    const height = TREE.top + TREE.lane * Math.max(1, runs.length) - 8;
    set(this.picture, { width, height, viewBox: `0 0 ${width} ${height}` });
    const row = new Map(runs.map((run, index) => [run.id, TREE.top + TREE.lane * index]));
    const focused = this.root.getRootNode().activeElement?.dataset?.run;
    this.picture.replaceChildren(...runs.map((run) => this.lane(run, at, row)));
    if (focused) this.picture.querySelector(`[data-run="${CSS.escape(focused)}"]`)?.focus();
  }

  /** Whose lane a branch leaves: a branch from before its parent's own fork leaves the run that the parent came from. */
  ancestor(run) {
    const runs = new Map(this.get("runs").map((other) => [other.id, other]));
    let parent = runs.get(run.parent);
    while (parent && runs.has(parent.parent) && run.decision <= parent.decision) parent = runs.get(parent.parent);
    return parent?.id;
  }

  lane(run, at, row) {
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
      const mark = run.by === "human" ? "ll-person" : "ll-fork";
      group.append(svg("path", { class: mark, d: `M${start},${parent - 6}l6,6l-6,6l-6,-6z` }));
    } else {
      group.append(svg("path", { class: "ll-line-of-run", d: `M${start},${y}H${end}` }));
    }
    group.append(svg("circle", { class: "ll-end", cx: end, cy: y, r: current ? 6 : 4.5 }));
    const loss = run.loss === null || run.loss === undefined ? "" : `, loss ${run.loss.toFixed(3)} at ${run.evaluated}`;
    const name = svg("text", { class: "ll-run-name", x: end + 12, y: y - 2 }, run.name);
    const facts = `${run.decisions} decisions${loss}`;
    const left = parent === undefined ? "the trunk" : run.why || `left before decision ${run.decision}`;
    group.append(name, svg("text", { class: "ll-run-facts", x: end + 12, y: y + 13 }, shortened(`${left}; ${facts}`)));
    group.append(svg("title", {}, `${run.name}: ${left}; ${facts}`));
    group.append(svg("rect", { class: "ll-hit", x: start - 4, y: y - 16, width: end - start + TREE.labels, height: 34 }));
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

/** As much of a text as fits beside a lane; the whole is in the tooltip. */
function shortened(text) {
  return text.length > 58 ? `${text.slice(0, 57)}…` : text;
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-tree", ...KEYS_STAY_HERE });
  const colours = model.get("semantic");
  root.style.setProperty("--ll-agent", colours.agent);
  root.style.setProperty("--ll-override", colours.override);
  root.style.setProperty("--ll-override-edge", colours.override_edge);
  el.append(root);
  const tree = new BranchTree(model, root);
  const stopTheme = followTheme(root);
  const stop = observe(model, ["runs", "current", "stored", "sentence", "alarm", "busy", "can_branch"], tree.repaint);
  return () => {
    stop();
    stopTheme();
    tree.resizer.disconnect();
  };
}

export default { render };
