// Prints name, version and licence text of every package that has code in the bundle. Usage: node licenses.mjs meta.json
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const inputs = Object.keys(JSON.parse(readFileSync(process.argv[2], "utf8")).inputs);
const folders = inputs
  .map((path) => path.match(/^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//))
  .filter(Boolean)
  .map((found) => found[1]);

const texts = new Map();
for (const folder of [...new Set(folders)].sort()) {
  const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
  const text = file && existsSync(join(folder, file)) ? readFileSync(join(folder, file), "utf8").trim() : about.license;
  const names = texts.get(text) ?? [];
  names.push(`${about.name} ${about.version} (${about.license})`);
  texts.set(text, names);
}

console.log("vega.js contains code of the packages below, each under the licence text that follows its name.");
for (const [text, names] of texts) console.log(`\n${"=".repeat(80)}\n${names.join("\n")}\n\n${text}`);
