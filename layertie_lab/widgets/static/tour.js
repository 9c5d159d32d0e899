// A walk over the page, a few stops long: each points at something that is there.

class Tour {
  /** find: the element of a stop, which is shown by then. */
  constructor(root, stops, find) {
    this.root = root;
    this.stops = stops;
    this.find = find;
    this.words = html("p", { class: "ll-tour-words" });
    this.count = html("span", { class: "ll-tour-count" });
    const button = (words, act) => {
      const made = html("button", { type: "button" }, words);
      made.addEventListener("click", act);
      return made;
    };
    this.back = button("Back", () => this.show(this.at - 1));
    this.next = button("Next", () => (this.at < this.stops.length - 1 ? this.show(this.at + 1) : this.leave()));
    this.next.classList.add("ll-main");
    const buttons = html("div", { class: "ll-tour-buttons" }, this.count, button("Leave", () => this.leave()), this.back, this.next);
    const named = { class: "ll-tour", role: "dialog", "aria-label": "Tour of the page", hidden: "", ...KEYS_STAY_HERE };
    this.box = html("div", named, this.words, buttons);
    this.ring = html("div", { class: "ll-tour-ring", hidden: "" });
    this.box.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.leave();
      if (event.key === "ArrowRight" && this.at < this.stops.length - 1) this.show(this.at + 1);
      if (event.key === "ArrowLeft") this.show(this.at - 1);
    });
    root.append(this.ring, this.box);
  }

  start() {
    this.cameFrom = this.root.getRootNode().activeElement;
    this.show(0);
  }

  show(at) {
    if (at < 0) return;
    this.at = at;
    const stop = this.stops[at];
    const element = this.find(stop);
    say(this.words, stop.words);
    say(this.count, `${at + 1} of ${this.stops.length}`);
    say(this.next, at < this.stops.length - 1 ? "Next" : "Done");
    set(this.back, { "aria-disabled": at === 0 });
    this.box.hidden = this.ring.hidden = false;
    this.place(element);
    this.next.focus({ preventScroll: true });
  }

  /** Beside what it points at: below where there is room, else above, else over its lower end. */
  place(element) {
    const page = this.root.getBoundingClientRect();
    const at = element.getBoundingClientRect();
    const [left, top] = [at.left - page.left, at.top - page.top];
    const ring = { left: left - 4, top: top - 4, width: at.width + 8, height: at.height + 8 };
    for (const [name, value] of Object.entries(ring)) this.ring.style[name] = `${value}px`;
    const { offsetWidth: width, offsetHeight: height } = this.box;
    const below = top + at.height + 12;
    const above = top - height - 12;
    const y = below + height < page.height ? below : above > 0 ? above : page.height - height - 12;
    this.box.style.left = `${Math.max(8, Math.min(page.width - width - 8, left))}px`;
    this.box.style.top = `${Math.max(8, y)}px`;
  }

  leave() {
    this.box.hidden = this.ring.hidden = true;
    this.cameFrom?.focus?.();
  }
}
