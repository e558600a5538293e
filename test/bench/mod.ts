/**
 * Measures kernels, steps, the engine, the server and its start on this machine:
 * `deno task bench [--json FILE] [GROUP…]`. Figures of one run belong together; on a shared machine
 * compare ratios, not runs.
 */
import { parseArgs } from "@std/cli";
import { benchEngine } from "./engine.ts";
import { benchEngines } from "./engines.ts";
import { figureLine, type Figures } from "./figures.ts";
import { benchFormats } from "./formats.ts";
import { benchKernels } from "./kernels.ts";
import { benchNelbo } from "./nelbo.ts";
import { benchPeers } from "./peers.ts";
import { benchSampler } from "./sampler.ts";
import { benchServer } from "./server.ts";
import { benchSizes } from "./sizes.ts";
import { benchStart } from "./start.ts";
import { benchStep } from "./step.ts";
import { benchStreams } from "./streams.ts";
import { benchTraining } from "./training.ts";

const GROUPS: Readonly<Record<string, () => Promise<Figures>>> = {
  kernels: benchKernels,
  sampler: benchSampler,
  step: benchStep,
  engine: benchEngine,
  engines: benchEngines,
  server: benchServer,
  start: benchStart,
  nelbo: benchNelbo,
  formats: benchFormats,
  peers: benchPeers,
  training: benchTraining,
  streams: benchStreams,
  sizes: benchSizes,
};

// Only when named: quality does not change from run to run, and not every machine has the peers.
const NAMED_GROUPS = ["nelbo", "formats", "peers", "training", "streams", "sizes"];
const DEFAULT_GROUPS = Object.keys(GROUPS).filter((name) => !NAMED_GROUPS.includes(name));

if (import.meta.main) {
  const { json, help, _: names, ...others } = parseArgs(Deno.args, {
    string: ["json"],
    boolean: ["help"],
  });
  const usage = `Usage: deno task bench [--json FILE] [${Object.keys(GROUPS).join("] [")}]\n` +
    `Without names: ${DEFAULT_GROUPS.join(", ")}`;
  const flags = Object.keys(others);
  if (help === true || flags.length > 0) {
    console.log(flags.length > 0 ? `Cannot measure with --${flags[0]}\n${usage}` : usage);
    Deno.exit(flags.length > 0 ? 2 : 0);
  }
  const chosen = names.length > 0 ? names.map(String) : DEFAULT_GROUPS;
  const unknown = chosen.find((name) => !Object.hasOwn(GROUPS, name));
  if (unknown !== undefined) {
    console.error(`Cannot measure "${unknown}", expected one of ${Object.keys(GROUPS).join(", ")}`);
    Deno.exit(2);
  }
  const all: Figures = {};
  for (const name of chosen) {
    const figures = await GROUPS[name]!(); // One of the keys, checked above.
    for (const [label, figure] of Object.entries(figures)) console.log(figureLine(label, figure));
    Object.assign(all, figures);
  }
  if (typeof json === "string") Deno.writeTextFileSync(json, JSON.stringify(all, null, 2) + "\n");
  Deno.exit(0);
}
