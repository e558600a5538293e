/**
 * Measures the engine and its start on this machine: `deno task bench [--json FILE]`. Figures of
 * one run belong together; on a shared machine compare ratios, not runs.
 */
import { parseArgs } from "@std/cli";
import { benchEngine } from "./engine.ts";
import { benchKernels } from "./kernels.ts";
import { benchStart } from "./start.ts";

/** One measured number. */
export interface Figure {
  readonly value: number;
  readonly unit: string;
}

/** Measured numbers by name. */
export type Figures = Record<string, Figure>;

const GROUPS: Readonly<Record<string, () => Promise<Figures>>> = {
  kernels: benchKernels,
  engine: benchEngine,
  start: benchStart,
};

if (import.meta.main) {
  const { json, help, _: names, ...others } = parseArgs(Deno.args, {
    string: ["json"],
    boolean: ["help"],
  });
  const usage = `Usage: deno task bench [--json FILE] [${Object.keys(GROUPS).join("] [")}]`;
  const flags = Object.keys(others);
  if (help === true || flags.length > 0) {
    console.log(flags.length > 0 ? `Cannot measure with --${flags[0]}\n${usage}` : usage);
    Deno.exit(flags.length > 0 ? 2 : 0);
  }
  const chosen = names.length > 0 ? names.map(String) : Object.keys(GROUPS);
  const unknown = chosen.find((name) => !Object.hasOwn(GROUPS, name));
  if (unknown !== undefined) {
    console.error(`Cannot measure "${unknown}", expected one of ${Object.keys(GROUPS).join(", ")}`);
    Deno.exit(2);
  }
  const all: Figures = {};
  for (const name of chosen) {
    const figures = await GROUPS[name]!(); // One of the keys, checked above.
    for (const [label, { value, unit }] of Object.entries(figures)) {
      console.log(`${label.padEnd(58)} ${format(value).padStart(9)} ${unit}`);
    }
    Object.assign(all, figures);
  }
  if (typeof json === "string") Deno.writeTextFileSync(json, JSON.stringify(all, null, 2) + "\n");
  Deno.exit(0);
}

function format(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
