// Several Vega views in one widget, each made once; rows come by message and are appended, never re-drawn from scratch.

const ROW_GAP = 6;
const ROOM_BELOW = 12;

class LiveChart {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.store = new Store();
    this.panels = [];
    this.hovered = null;
    this.zoomed = undefined;
    this.stale = false;
    this.busy = false;
    this.resizer = new ResizeObserver((entries) => {
      for (const entry of entries) {
        const panel = this.panels.find((panel) => panel.plot === entry.target);
        if (panel && entry.contentRect.width) panel.resize(Math.floor(entry.contentRect.width));
        if (!panel) this.unfitted = true;
      }
      this.refresh(); // one that has come into sight has missed some rows
    });
    this.build();
  }

  /** Share out what height the view has beyond what the plots need; only where that changes, so that nothing jumps. */
  fit() {
    const view = this.model.get("fills") && this.root.closest(".ll-view");
    if (!view || !isShown(this.root)) return;
    const seen = this.panels.filter((panel) => panel.view && isShown(panel.element));
    const rows = new Map();
    for (const panel of seen) {
      const around = panel.element.offsetHeight - panel.height;
      rows.set(panel.element.offsetTop, Math.max(around, rows.get(panel.element.offsetTop) ?? 0));
    }
    const below = ROOM_BELOW + (view.querySelector(":scope > .ll-try")?.offsetHeight ?? 0);
    const taken = [...rows.values()].reduce((sum, around) => sum + around + ROW_GAP, below);
    // In one column the page is as long as it is.
    const free = getComputedStyle(view).overflowY === "auto";
    const height = free ? Math.floor((view.clientHeight - taken) / rows.size) : 0;
    for (const panel of this.panels) panel.wanted = Math.max(panel.spec.height, height);
  }

  build() {
    this.resizer.disconnect();
    this.panels.forEach((panel) => panel.view?.finalize());
    this.panels = this.model.get("panels").map((panel) => new Panel(this, panel));
    this.root.style.setProperty("--ll-columns", this.model.get("columns"));
    this.root.replaceChildren(...this.panels.map((panel) => panel.element));
    this.share();
    this.theme();
    this.panels.forEach((panel) => this.resizer.observe(panel.plot));
    const view = this.root.closest(".ll-view");
    if (view) this.resizer.observe(view);
  }

  /** Panels that share a place: one is shown, and each names the others. */
  share() {
    const places = this.model.get("panels").map(({ title, place }) => place ?? title);
    this.panels.forEach((panel, at) => {
      const others = this.panels.filter((_, n) => places[n] === places[at]);
      if (others.length < 2) return;
      panel.element.hidden = panel !== others[0];
      panel.head.replaceChildren(
        ...others.map((other) => {
          const button = html("button", { type: "button", "aria-pressed": other === panel }, other.title);
          button.addEventListener("click", () => {
            others.forEach((each) => (each.element.hidden = each !== other));
            other.head.children[others.indexOf(other)].focus();
            this.refresh();
          });
          return button;
        }),
      );
    });
  }

  /** Make the views in the page's theme; rows, zoom and hover stay. */
  theme() {
    const config = this.model.get("themes")[this.root.dataset.theme];
    for (const panel of this.panels) {
      try {
        panel.make(Math.max(200, Math.floor(panel.plot.clientWidth) || 400), config);
      } catch (error) {
        panel.view = undefined;
        panel.plot.replaceChildren(html("p", { class: "ll-wrong" }, `This chart cannot be drawn: ${error.message}`));
      }
    }
    this.unfitted = true;
    this.refresh();
  }

  receive(message) {
    if (message.kind === "reset") {
      this.store.replace(message.tables);
      this.panels.forEach((panel) => (panel.whole = true));
    } else if (message.kind === "append") {
      this.store.append(message.tables);
    } else {
      return;
    }
    this.root.dataset.rows = Object.keys(this.store.tables).reduce((sum, table) => sum + this.store.size(table), 0);
    this.refresh();
  }

  /** Point all panels at a place of the x axis: the nearest step that has a row. */
  hover(place) {
    const hovered = place === null ? null : this.nearest(place);
    if (hovered?.step === this.hovered?.step) return;
    this.hovered = hovered;
    this.root.dataset.hovered = hovered ? hovered.step : "";
    this.refresh();
  }

  /** Look at the decision that is pointed at. */
  look() {
    if (this.hovered) this.model.send({ kind: "look", decision: Math.ceil(this.hovered.decision) });
  }

  nearest(place) {
    const steps = this.model.get("steps_per_decision");
    const wanted = this.model.get("x") === "step" ? place : place * steps;
    const near = Object.values(this.store.tables).flatMap(({ step }) => (step?.length ? [nearest(step, wanted)] : []));
    if (!near.length) return null;
    const step = near.reduce((best, found) => (Math.abs(found - wanted) < Math.abs(best - wanted) ? found : best));
    return { step, decision: step / steps };
  }

  /** One panel's x axis has been zoomed: the others follow. */
  zoom(from, value) {
    if (JSON.stringify(value) === JSON.stringify(this.zoomed)) return;
    this.zoomed = value;
    this.root.dataset.zoomed = value ? value.map((end) => end.toPrecision(5)).join(" ") : "";
    for (const panel of this.panels) {
      if (panel !== from && panel.view && panel.linked) panel.view.signal(ZOOM, value).runAsync();
    }
  }

  /** Bring the views up to date, one frame at a time; what comes meanwhile goes into the next frame. */
  async refresh() {
    this.stale = true;
    if (this.busy || this.unseen) return;
    this.busy = true;
    while (this.stale && !this.unseen) {
      this.stale = false;
      const start = performance.now();
      const seen = this.panels.filter((panel) => isShown(panel.element));
      await Promise.all(seen.map((panel) => panel.update(this.store, this.hovered)));
      if (this.unfitted && seen.length) {
        this.unfitted = false;
        this.fit();
        await Promise.all(seen.map((panel) => panel.update(this.store, this.hovered)));
      }
      const spent = performance.now() - start;
      this.root.dataset.drawMs = spent.toFixed(1);
      this.root.dataset.draws = Number(this.root.dataset.draws ?? 0) + 1;
      // Training may share this machine: drawing takes at most half of the browser's time.
      await new Promise((resolve) => setTimeout(resolve, spent));
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
    this.busy = false;
  }

  get unseen() {
    return document.hidden || !isShown(this.root);
  }

  close() {
    this.resizer.disconnect();
    this.panels.forEach((panel) => panel.view?.finalize());
  }
}

/** Whether an element takes part in the page: it is drawn nowhere in a view that is not shown. */
function isShown(element) {
  return element.getClientRects().length > 0;
}

/** The value of an ascending list that is nearest to a wanted one. */
function nearest(values, wanted) {
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  const before = values[Math.max(0, low - 1)];
  return Math.abs(before - wanted) < Math.abs(values[low] - wanted) ? before : values[low];
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-charts", ...KEYS_STAY_HERE });
  el.append(root);
  let chart = null;
  const stopTheme = followTheme(root, () => chart.theme());
  chart = new LiveChart(model, root);
  const stop = observe(model, ["panels", "columns"], oncePerFrame(() => chart.build()));
  const receive = (message) => chart.receive(message);
  const shown = () => chart.refresh();
  model.on("msg:custom", receive);
  document.addEventListener("visibilitychange", shown);
  model.send({ kind: "ready" });
  return () => {
    stop();
    stopTheme();
    model.off("msg:custom", receive);
    document.removeEventListener("visibilitychange", shown);
    chart.close();
  };
}

export default { render };
