// What all widgets of layertie_lab have in common: elements, theme, numbers, messages.

const SVG_NAMES = "http://www.w3.org/2000/svg";

/** Keeps JupyterLab's own shortcuts away from keys that are pressed inside a widget. */
const KEYS_STAY_HERE = { "data-lm-suppress-shortcuts": "true" };

/** An HTML element with attributes and children; a null attribute is left out. */
function html(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG_NAMES, tag), attributes, children);
}

function fill(element, attributes, children) {
  set(element, attributes);
  element.append(...children);
  return element;
}

/** Set attributes; null removes one. Untouched where the value is the same, so that nothing is laid out for it. */
function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined) element.removeAttribute(name);
    else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
  }
}

/** Set an element's text, if it differs. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Hand a file to the person as a download. Returns its name. */
function saveFile(name, content) {
  const address = URL.createObjectURL(new Blob([content]));
  html("a", { href: address, download: name }).click();
  URL.revokeObjectURL(address);
  return name;
}

const THEME_KEY = "layertie-theme";
/** Told to the window: other frames of a notebook have scripts of their own. */
const THEME_CHOSEN = "layertie-theme-chosen";

/** What was chosen on this page in place of the host's theme: "light", "dark" or "". */
function chosenTheme() {
  try {
    return localStorage.getItem(THEME_KEY) ?? "";
  } catch {
    return ""; // a page that may store nothing
  }
}

function chooseTheme(theme) {
  try {
    if (theme) localStorage.setItem(THEME_KEY, theme);
    else localStorage.removeItem(THEME_KEY);
  } catch {
    return;
  }
  window.dispatchEvent(new Event(THEME_CHOSEN));
}

/** "light" or "dark": as chosen, else as the page around looks (marimo, JupyterLab, VS Code, else the system). */
function hostTheme() {
  const chosen = chosenTheme();
  if (chosen) return chosen;
  const places = [document.body, document.documentElement];
  const jupyter = document.body.dataset.jpThemeLight;
  if (jupyter) return jupyter === "true" ? "light" : "dark";
  for (const place of places) {
    if (place.dataset.theme === "dark" || place.dataset.theme === "light") return place.dataset.theme;
    if (place.classList.contains("dark") || place.classList.contains("vscode-dark")) return "dark";
    if (place.classList.contains("light") || place.classList.contains("vscode-light")) return "light";
  }
  return window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** Keep root's data-theme right and call `changed(theme)` when it turns. Returns a function that ends it. */
function followTheme(root, changed = () => {}) {
  root.dataset.theme = hostTheme();
  const check = () => {
    const theme = hostTheme();
    if (theme === root.dataset.theme) return;
    root.dataset.theme = theme;
    changed(theme);
  };
  const observer = new MutationObserver(check);
  const options = { attributes: true, attributeFilter: ["class", "data-theme", "data-jp-theme-light"] };
  observer.observe(document.body, options);
  observer.observe(document.documentElement, options);
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", check);
  window.addEventListener(THEME_CHOSEN, check);
  return () => {
    window.removeEventListener(THEME_CHOSEN, check);
    observer.disconnect();
    system.removeEventListener("change", check);
  };
}

/** Three significant digits, without an exponent where a person would not write one. */
function inWords(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "none";
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 1e6)) return value.toExponential(2);
  if (size >= 100) return value.toFixed(0);
  return value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

/** The same to three decimals at most: a value that is 0 at that precision is 0. */
function inThousandths(value) {
  if (!Number.isFinite(value) || value === null || Math.abs(value) >= 0.001) return inWords(value);
  const words = value.toFixed(3);
  return words === "-0.000" ? "0.000" : words;
}

/** A duration in the unit that people use: "95 s", "12 min", "1 h 28 min" (as `core.durations` has it). */
function inTime(seconds) {
  if (seconds < 119.5) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  if (!hours) return `${minutes} min`;
  return rest ? `${hours} h ${rest} min` : `${hours} h`;
}

/** A number of things: "1 decision", "2 decisions". */
function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** Black or white, whichever reads better on a colour given as #rrggbb. */
function inkOn(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255);
  const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue) > 0.3 ? "#10161c" : "#ffffff";
}

/** Milliseconds since 1970 with a fraction, on the clock that does not jump. */
function now() {
  return performance.timeOrigin + performance.now();
}

/** Observe a model's changes until the returned function is called. */
function observe(model, names, callback) {
  for (const name of names) model.on(`change:${name}`, callback);
  return () => names.forEach((name) => model.off(`change:${name}`, callback));
}

/** Call `callback` at most once per frame; hidden pages have no frames and are served at once. */
function oncePerFrame(callback) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    const go = () => {
      waiting = false;
      callback();
    };
    if (document.hidden) queueMicrotask(go);
    else requestAnimationFrame(go);
  };
}
