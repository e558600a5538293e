import type { Estimate } from "../../src/evaluation/likelihood.ts";
import { settingName } from "./quality.ts";
import { relativeVariances, type Results } from "./results.ts";

/** Cells of a table, its head first. */
type Table = readonly (readonly string[])[];

/** A table of every measurement, in Markdown by the measurement's name. */
export function tablesOf(results: Results): Readonly<Record<keyof Results, string>> {
  return {
    block_sizes: markdown(blockSizes(results.block_sizes)),
    scratch: markdown(scratch(results.scratch)),
    clip: markdown(clip(results.clip)),
    quality: markdown(quality(results.quality)),
  };
}

/**
 * Puts tables between the lines `<!-- table NAME -->` and `<!-- end -->` of a document.
 *
 * @throws {SyntaxError} If the document has no such place.
 */
export function refreshTables(document: string, tables: Readonly<Record<string, string>>): string {
  return Object.entries(tables).reduce((text, [name, table]) => {
    const [begin, end] = [`<!-- table ${name} -->\n`, "<!-- end -->"];
    const from = text.indexOf(begin) + begin.length;
    const to = text.indexOf(end, from);
    if (from < begin.length || to < 0) {
      throw new SyntaxError(`Cannot put the table "${name}": the document has no place for it`);
    }
    return text.slice(0, from) + "\n" + table + "\n" + text.slice(to);
  }, document);
}

/** Lays a table out as `deno fmt` does. */
export function markdown(table: Table): string {
  const widths = table[0]!.map((_, column) =>
    Math.max(3, ...table.map((row) => row[column]!.length))
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |\n`;
  const [head = [], ...rows] = table;
  return [head, widths.map((width) => "-".repeat(width)), ...rows].map(line).join("");
}

function blockSizes({ results }: Results["block_sizes"]): Table {
  const head = ["block size", "NELBO, nats per token", "perplexity", "bits per byte"];
  const rows = results.map((each) => [
    String(each.block_size),
    `${each.exact ? "" : "≤ "}${plusMinus({ mean: each.nelbo_per_token, error: each.stderr })}`,
    plusMinus({ mean: each.perplexity, error: each.perplexity_stderr }, 2),
    each.bits_per_byte.toFixed(3),
  ]);
  return [head, ...rows];
}

function scratch({ scratch, then }: Results["scratch"]): Table {
  const nelbo = ({ nelbo: mean, error }: typeof then[number]) => plusMinus({ mean, error });
  const rows = scratch.map((each, i) => [
    ...[String(each.blockSize), nelbo(each), nelbo(then[i]!)], // The same block sizes.
    then[i]!.perplexity.toFixed(1),
  ]);
  return [
    ["block size", "from random weights", "from autoregressive", "perplexity of that"],
    ...rows,
  ];
}

function clip({ clip_search: sizes }: Results["clip"]): Table {
  const head = ["block size", "all times: variance", "least variance", "at", "ratio"];
  const rows = sizes.map((each) => {
    const best = relativeVariances(each).reduce((a, b) => b.variance < a.variance ? b : a);
    const all = each.candidates[0]!.variance; // A search has all times first.
    return [
      ...[String(each.block_size), all.toFixed(2), (all * best.variance).toFixed(2)],
      ...[`U[${best.beta}, ${best.omega}]`, best.variance.toFixed(2)],
    ];
  });
  return [head, ...rows];
}

function quality({ heldOut, settings }: Results["quality"]): Table {
  const rows = [
    ...settings.map(({ options, quality }) => ({ name: settingName(options), ...quality })),
    { name: "the stories", ...heldOut },
  ].map(({ name, tokensPerPass, nelbo, repeated }) => [
    ...[name, tokensPerPass === null ? "–" : plusMinus(tokensPerPass, 2), plusMinus(nelbo, 2)],
    percent(repeated),
  ]);
  return [["strategy", "tokens per pass", "NELBO, nats per token", "repeated 4-grams"], ...rows];
}

function plusMinus({ mean, error }: Estimate, digits = 3): string {
  return `${mean.toFixed(digits)} ± ${error.toFixed(digits)}`;
}

function percent({ mean, error }: Estimate): string {
  return `${plusMinus({ mean: 100 * mean, error: 100 * error }, 1)} %`;
}
