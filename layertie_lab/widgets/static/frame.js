// One widget with all panels of a page in it: draws the plan, and passes on what panels and kernel say to each other.

/** What a panel's script takes for its model: attributes that the kernel alone sets, and messages both ways. */
class PartModel {
  constructor(frame, name) {
    this.frame = frame;
    this.name = name;
    this.values = {};
    this.listeners = new Map();
  }

  get(name) {
    return this.values[name];
  }

  /** Shown at once; the kernel's own word on it follows. */
  set(name, value) {
    this.values[name] = value;
    this.call(`change:${name}`);
  }

  on(event, callback) {
    if (!this.listeners.has(event)) this.listeners.set(event, new Set());
    this.listeners.get(event).add(callback);
  }

  off(event, callback) {
    this.listeners.get(event)?.delete(callback);
  }

  send(content) {
    this.frame.send({ kind: "to", to: this.name, content });
  }

  call(event, ...values) {
    for (const callback of [...(this.listeners.get(event) ?? [])]) callback(...values);
  }

  /** All of a state stands before anybody hears of a part of it. */
  take(state) {
    Object.assign(this.values, state);
    for (const name of Object.keys(state)) this.call(`change:${name}`);
  }
}

/** The page: places by the plan, each with its panel. */
class Page {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.models = {};
    this.ends = [];
    this.tabs = []; // all that the plan has so far, the outer before the inner
    this.waiting = []; // places whose panel is drawn when the state is there
    for (const name of Object.keys(model.get("kinds"))) this.models[name] = new PartModel(model, name);
    const plan = model.get("plan");
    set(root, { "data-fills": plan.fills ? "" : null });
    root.append(this.place(plan));
  }

  /** Put what is looked at into the address, so that a reload and a link show it; what stands first goes without saying. */
  locate() {
    if (!this.model.get("plan").fills || !this.workspace) return;
    const { views, element } = this.workspace;
    const inner = this.tabs.find((tabs) => views.panes[views.at].contains(tabs.element));
    const view = [views, ...(inner?.at ? [inner] : [])].map(({ titles, at }) => slug(titles[at])).join(".");
    const address = new URL(location.href);
    const put = (name, value) => (value ? address.searchParams.set(name, value) : address.searchParams.delete(name));
    put("view", views.at || inner?.at ? view : "");
    put("present", element.hasAttribute("data-present") ? "1" : "");
    if (address.href !== location.href) history.replaceState(history.state, "", address);
  }

  receive(message, buffers) {
    if (message.kind === "states") {
      for (const [name, state] of Object.entries(message.states)) this.models[name]?.take(state);
      this.open = true;
      for (const draw of this.waiting.splice(0)) draw();
    } else if (message.kind === "state") {
      this.models[message.to]?.take(message.state);
    } else if (message.kind === "custom") {
      this.models[message.to]?.call("msg:custom", message.content, buffers ?? []);
    }
  }

  place(plan) {
    const { kind, parts } = plan;
    if (kind === "panel") return this.panel(plan.name);
    if (kind === "tabs") return new Tabs(this, plan).element;
    if (kind === "workspace") return (this.workspace = new Workspace(this, plan)).element;
    return html("div", { class: `ll-${kind}` }, ...parts.map((part) => this.place(part)));
  }

  panel(name) {
    const place = html("div", { class: "ll-place", "data-part": name });
    const draw = () => this.ends.push(KINDS[this.model.get("kinds")[name]]({ model: this.models[name], el: place }));
    if (this.open) draw();
    else this.waiting.push(draw);
    return place;
  }

  end() {
    for (const end of this.ends) end?.();
  }
}

/** Parts of which one is shown. Each is drawn when it is shown first, and then kept. */
class Tabs {
  constructor(page, { titles, parts, tries }) {
    this.page = page;
    this.tries = tries;
    this.titles = titles;
    this.plans = parts;
    this.drawn = [];
    const name = Math.random().toString(36).slice(2, 8);
    this.tabs = titles.map((title, at) => {
      const controls = `ll-view-${name}-${at}`;
      const tab = html("button", { type: "button", role: "tab", id: `${controls}-tab`, "aria-controls": controls }, title);
      tab.addEventListener("click", () => this.show(at));
      return tab;
    });
    this.panes = titles.map((title, at) => {
      const labelled = { "aria-labelledby": `ll-view-${name}-${at}-tab`, id: `ll-view-${name}-${at}` };
      return html("div", { class: "ll-view", role: "tabpanel", tabindex: "-1", "data-view": title, hidden: "", ...labelled });
    });
    this.strip = html("div", { class: "ll-strip", role: "tablist", ...KEYS_STAY_HERE }, ...this.tabs);
    this.strip.addEventListener("keydown", (event) => this.press(event));
    this.element = html("div", { class: "ll-tabs" }, this.strip, ...this.panes);
    page.tabs.push(this);
    this.show(0);
  }

  show(at) {
    if (at < 0 || at === this.at) return;
    this.at = at;
    this.tabs.forEach((tab, n) => set(tab, { "aria-selected": n === at, tabindex: n === at ? 0 : -1 }));
    this.panes.forEach((pane, n) => (pane.hidden = n !== at));
    if (!this.drawn[at]) {
      this.panes[at].append((this.drawn[at] = this.page.place(this.plans[at])));
      if (this.tries[at]) this.panes[at].append(html("p", { class: "ll-try" }, html("b", {}, "To try: "), this.tries[at]));
    }
    this.element.dataset.shown = this.titles[at];
    this.page.locate();
  }

  press(event) {
    const last = this.tabs.length - 1;
    const to = { ArrowRight: this.at + 1, ArrowLeft: this.at - 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.show(to < 0 ? last : to > last ? 0 : to);
    this.tabs[this.at].focus();
  }
}

/** A page that fills its window: what is always in sight, and one view at a time. */
class Workspace {
  constructor(page, plan) {
    this.page = page;
    this.views = new Tabs(page, plan.views);
    this.drawers = plan.drawers.map(({ title, part }) => new Drawer(this, title, page.place(part)));
    const head = html("div", { class: "ll-head" }, html("h1", {}, plan.title), page.place(plan.head));
    head.append(...this.drawers.map((drawer) => drawer.button), themeSwitch(page.root), this.presenting());
    if (plan.tour.length) head.append(this.touring(plan.tour));
    const side = html("div", { class: "ll-side" }, page.place(plan.side));
    const foot = html("div", { class: "ll-foot" }, page.place(plan.foot));
    this.element = html("div", { class: "ll-workspace" }, head, side, this.views.element, foot);
    this.element.addEventListener("keydown", (event) => event.key === "Escape" && this.present(false));
    this.views.element.append(...this.drawers.map((drawer) => drawer.element));
    this.views.strip.addEventListener("click", () => this.close());
    if (plan.fills && new URLSearchParams(location.search).get("present") === "1") this.present(true);
  }

  /** Show a view by its title, and nothing over it, and in it one of its own; or open a drawer. */
  turn(title, within) {
    if (title === undefined) return;
    for (const drawer of this.drawers) drawer.toggle(drawer.title === title);
    this.views.show(this.views.titles.indexOf(title));
    const pane = this.views.panes[this.views.at];
    for (const tabs of this.page.tabs) if (within && pane.contains(tabs.element)) tabs.show(tabs.titles.indexOf(within));
    if (within) this.bring(pane);
  }

  /** Where all is one column, what opens stands far below what opened it. */
  bring(element) {
    if (getComputedStyle(this.element).display === "flex") element.scrollIntoView({ block: "start" });
  }

  /** Close what is open in place of the view. */
  close(but = null) {
    for (const drawer of this.drawers) if (drawer !== but) drawer.toggle(false);
  }

  touring(stops) {
    const tour = new Tour(this.page.root, stops, (stop) => this.stop(stop));
    const button = html("button", { type: "button", class: "ll-quiet", title: "A tour of this page" }, "Tour");
    button.addEventListener("click", () => tour.start());
    return button;
  }

  /** What a stop of the tour points at. */
  stop({ at, view }) {
    this.turn(view || this.views.titles[this.views.at]);
    const tab = this.views.tabs[this.views.titles.indexOf(at)];
    const drawer = this.drawers.find(({ title }) => title === at);
    return tab ?? drawer?.button ?? this.page.root.querySelector(`[data-part="${at}"]`) ?? this.views.strip;
  }

  presenting() {
    const button = html("button", { type: "button", class: "ll-quiet", "aria-pressed": "false" }, "Present");
    button.title = "Larger type, and nothing but the map, the controls and one view.";
    this.present = (on) => {
      this.element.toggleAttribute("data-present", on);
      set(button, { "aria-pressed": on });
      say(button, on ? "Present: off" : "Present");
      this.page.locate();
    };
    button.addEventListener("click", () => this.present(!this.element.hasAttribute("data-present")));
    return button;
  }
}

/** What opens in the place of the views. */
class Drawer {
  constructor(workspace, title, content) {
    this.workspace = workspace;
    this.title = title;
    this.button = html("button", { type: "button", class: "ll-drawer-button", "aria-expanded": "false" }, title);
    this.button.addEventListener("click", () => this.toggle());
    const close = html("button", { type: "button", class: "ll-quiet" }, "Close");
    close.addEventListener("click", () => this.toggle(false));
    const head = html("div", { class: "ll-drawer-head" }, html("h2", {}, title), close);
    const named = { role: "region", "aria-label": title, "data-drawer": title, tabindex: "-1" };
    this.element = html("div", { class: "ll-drawer", hidden: "", ...named }, head, content);
    this.element.addEventListener("keydown", (event) => event.key === "Escape" && this.toggle(false));
  }

  toggle(open = this.element.hidden) {
    if (open) this.workspace.close(this);
    const within = this.element.contains(this.element.getRootNode().activeElement);
    this.element.hidden = !open;
    set(this.button, { "aria-expanded": open });
    if (open) {
      this.element.focus({ preventScroll: true });
      this.workspace.bring(this.element);
    } else if (within) this.button.focus();
  }
}

/** A title as it stands in an address; `layout.address_of` says the same. */
function slug(title) {
  return title.toLowerCase().split(/[^a-z0-9]+/).filter(Boolean).join("-");
}

function themeSwitch(root) {
  const names = [["", "As the system"], ["light", "Light"], ["dark", "Dark"]];
  const choice = html("select", { "aria-label": "Colours" }, ...names.map(([value, words]) => html("option", { value }, words)));
  choice.value = chosenTheme();
  choice.addEventListener("change", () => chooseTheme(choice.value));
  return choice;
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-frame" });
  const stopTheme = followTheme(root);
  el.append(root);
  const page = new Page(model, root);
  const receive = (message, buffers) => page.receive(message, buffers);
  model.on("msg:custom", receive);
  const turn = () => page.workspace?.turn(model.get("turned")[0], model.get("turned")[2]);
  model.on("change:turned", turn);
  turn();
  model.send({ kind: "open" });
  // The host puts each change of the address on the trail of Back, which would change the address and not the page.
  if (model.get("plan").fills) history.pushState = (...entry) => history.replaceState(...entry);
  return () => {
    delete history.pushState;
    model.off("change:turned", turn);
    model.off("msg:custom", receive);
    stopTheme();
    page.end();
  };
}
export default { render };
