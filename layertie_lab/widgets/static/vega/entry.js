// What the live chart uses of Vega and Vega-Lite; esbuild leaves out the rest where it can.
export { View, changeset, parse } from "vega";
export { compile } from "vega-lite";
