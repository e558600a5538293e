/**
 * Measures what `docs/paper.md` shows, and draws it: `deno task paper quality|scratch|draw [FLAGS]`.
 * Measurements are JSON files in `docs/paper`; `draw` makes plots and tables of all of them. Those
 * that `deno task evaluate` makes are in the document with their commands.
 */
import { join } from "@std/path";
import { parseArgs } from "@std/cli";
import { z } from "zod";
import { SHIPPED_MODEL } from "../../src/commands/config.ts";
import { ProgressFile } from "../../src/training/progress_file.ts";
import { drawPlots } from "./plots.ts";
import { measureQuality, type Quality } from "./quality.ts";
import { RESULTS, type Results } from "./results.ts";
import { measureScratch } from "./scratch.ts";
import { refreshTables, tablesOf } from "./tables.ts";
import { drawTraining } from "./training.ts";

const USAGE = "Usage: deno task paper quality [--texts N]\n" +
  "       deno task paper scratch --text FILE --valid FILE --out DIR\n" +
  "       deno task paper draw";
const FOLDER = join(import.meta.dirname!, "../../docs/paper");
const DOCUMENT = `${FOLDER}.md`;

/**
 * What the trainer's own evaluation says of the original model, on the windows and with the masks
 * of the progress file of the one that ships.
 */
const BEFORE_TRAINING = [{ blockSize: 8, nelbo: 2.2028 }, { blockSize: 4, nelbo: 2.1539 }];

const path = z.string().min(1);
const Arguments = z.union([
  z.strictObject({
    _: z.tuple([z.literal("quality")]),
    texts: z.coerce.number().int().min(2).default(16),
  }),
  z.strictObject({ _: z.tuple([z.literal("scratch")]), text: path, valid: path, out: path }),
  z.strictObject({ _: z.tuple([z.literal("draw")]) }),
]);

/** Does what the command line says, and gives the exit status. */
async function run(args: readonly string[]): Promise<number> {
  const string = ["texts", "text", "valid", "out"];
  const { data } = Arguments.safeParse(parseArgs([...args], { string }));
  if (data === undefined) {
    console.error(USAGE);
    return 2;
  }
  if ("texts" in data) write("quality", await measureQuality(data.texts, printQuality));
  else if ("out" in data) write("scratch", await measureScratch(data));
  else draw();
  return 0;
}

function printQuality(name: string, { tokensPerPass, nelbo, repeated }: Quality): void {
  const figures = [tokensPerPass, nelbo, repeated]
    .map((each) => each === null ? "–" : `${each.mean.toFixed(3)} ± ${each.error.toFixed(3)}`);
  console.log([name.padEnd(28), ...figures].join("  "));
}

function write(name: keyof Results, report: unknown): void {
  Deno.writeTextFileSync(pathOf(name), JSON.stringify(report, null, 1) + "\n");
}

/** Makes plots and tables of all measurements, and the plot of the card of the model that ships. */
function draw(): void {
  const read = <Name extends keyof Results>(name: Name) =>
    RESULTS[name].parse(JSON.parse(Deno.readTextFileSync(pathOf(name)))) as Results[Name];
  const results = {
    ...{ block_sizes: read("block_sizes"), scratch: read("scratch") },
    ...{ clip: read("clip"), quality: read("quality") },
  };
  for (const [name, svg] of Object.entries(drawPlots(results))) {
    Deno.writeTextFileSync(join(FOLDER, `${name}.svg`), svg);
  }
  const { directory } = SHIPPED_MODEL;
  const { rows } = new ProgressFile(join(directory, "progress.csv"), Infinity);
  Deno.writeTextFileSync(join(directory, "training.svg"), drawTraining(rows, BEFORE_TRAINING));
  const document = Deno.readTextFileSync(DOCUMENT);
  Deno.writeTextFileSync(DOCUMENT, refreshTables(document, tablesOf(results)));
}

function pathOf(name: keyof Results): string {
  return join(FOLDER, `${name}.json`);
}

if (import.meta.main) Deno.exit(await run(Deno.args));
