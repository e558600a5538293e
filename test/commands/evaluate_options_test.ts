import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  EVALUATE_HELP,
  parseEvaluateOptions,
  readTextPath,
} from "../../src/commands/evaluate_options.ts";
import { UsageError } from "../../src/commands/flags.ts";
import { NOISE_SCHEDULES } from "../../src/diffusion/noise.ts";

Deno.test("parseEvaluateOptions() fills in what is left out", () => {
  assertEquals(parseEvaluateOptions(["--text", "a.txt"]), {
    text: "a.txt",
    model: null,
    weights: null,
    blockSizes: null,
    estimator: { type: "counts" },
    noise: "counts",
    samples: 1,
    seed: 1,
    windows: null,
    json: false,
    searchClip: false,
  });
});

Deno.test("parseEvaluateOptions() reads every flag", () => {
  const { estimator, ...options } = parseEvaluateOptions([
    ...["--text=b.txt.gz", "--model", "DIR", "--weights", "int8", "--block-size", "1,16,all"],
    ...["--windows", "9", "--estimator", "t", "--schedule", "cosine", "--samples", "3"],
    ...["--seed", "77", "--json"],
  ]);
  assertEquals(options, {
    text: "b.txt.gz",
    model: "DIR",
    weights: "int8",
    blockSizes: [1, 16, "all"],
    noise: "t, cosine",
    samples: 3,
    seed: 77,
    windows: 9,
    json: true,
    searchClip: false,
  });
  assert(estimator.type === "times");
  assertEquals([estimator.schedule, estimator.times], [NOISE_SCHEDULES.cosine, [1e-3, 1]]);
});

const WRONG: [string[], string][] = [
  [[], "--text is missing"],
  [["--text", "a", "b"], '"b" is no flag'],
  [["--text", ""], "expected some text"],
  [["--text", "a", "--text", "b"], "given twice"],
  [["--text", "a", "--block-size", "4,"], 'value is "4,"'],
  [["--text", "a", "--block-size", "0"], 'value is "0"'],
  [["--text", "a", "--block-size", "2.5"], 'value is "2.5"'],
  [["--text", "a", "--block-size", "some"], 'value is "some"'],
  [["--text", "a", "--samples", "0"], "--samples"],
  [["--text", "a", "--windows", "0"], "--windows"],
  [["--text", "a", "--estimator", "u"], "one of counts, t"],
  [["--text", "a", "--schedule", "square"], "expected --estimator t"],
  [["--text", "a", "--schedule", "square", "--estimator", "counts"], "expected --estimator t"],
  [["--text", "a", "--search-clip", "--estimator", "t"], "--search-clip"],
  [["--text", "a", "--search-clip", "--samples", "2"], "--search-clip"],
];

for (const [args, message] of WRONG) {
  Deno.test(`parseEvaluateOptions() refuses ${JSON.stringify(args)}`, () => {
    assertThrows(() => parseEvaluateOptions(args), UsageError, message);
  });
}

Deno.test("readTextPath() finds the file among other flags", () => {
  assertEquals(readTextPath(["--json", "--text", "a", "--windows", "2"]), "a");
  assertEquals(readTextPath(["--text=a"]), "a");
  assertEquals(readTextPath(["--json"]), null);
});

Deno.test("the help of evaluate fits a terminal and names every flag", () => {
  for (const line of EVALUATE_HELP.split("\n")) assert(line.length <= 100, line);
  for (const flag of ["--text FILE", "--block-size N,…", "--search-clip", "square_root"]) {
    assert(EVALUATE_HELP.includes(flag), flag);
  }
});
