import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../../src/commands/flags.ts";
import { parseTrainOptions, TRAIN_HELP, trainPaths } from "../../src/commands/train_options.ts";

const NEEDED = ["--text", "a.txt", "--out", "runs/a"];

Deno.test("parseTrainOptions() fills in the recipe", () => {
  const { session, stages, updates, isResumed, valid } = parseTrainOptions(NEEDED);
  assertEquals([stages, updates, isResumed, valid], [null, 1000, false, null]);
  assertEquals(session.rate, { peak: 3e-4, warmUp: 100, decay: "none" });
  assertEquals(session.optimizer, {
    ...{ beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, clip: 1, averaging: 0.9999 },
  });
  assertEquals([session.times, session.schedule, session.dropout], [[1e-3, 1], "loglinear", 0.1]);
});

Deno.test("parseTrainOptions() reads stages, and passes no larger than a batch", () => {
  const args = [...NEEDED, "--stages", "256:850,8:150", "--batch", "4"];
  const { stages, session } = parseTrainOptions(args);
  assertEquals(stages, [{ blockSize: 256, updates: 850 }, { blockSize: 8, updates: 150 }]);
  assertEquals([session.batch, session.microBatch], [4, 4]);
});

for (
  const [args, message] of [
    [["--out", "a"], "--text is missing"],
    [["--text", "a"], "--out is missing"],
    [[...NEEDED, "--stages", "8"], "block sizes with their updates"],
    [[...NEEDED, "--stages", "8:0"], "block sizes with their updates"],
    [[...NEEDED, "--rate", "fast"], "a number from 0 to 10"],
    [[...NEEDED, "--beta", "0.9", "--omega", "0.5"], "expected less than 0.5"],
    [[...NEEDED, "--schedule", "cosine", "--beta", "0.3"], "--schedule is cosine"],
    [[...NEEDED, "--schedule", "cosine", "--search-every", "9"], "--schedule is cosine"],
    [[...NEEDED, "--search-every", "9"], "--valid is missing"],
    [[...NEEDED, "more"], '"more" is no flag'],
  ] as const
) {
  Deno.test(`parseTrainOptions() refuses ${args.join(" ")}`, () => {
    assertThrows(() => parseTrainOptions(args), UsageError, message);
  });
}

Deno.test("parseTrainOptions() tells apart what decides the weights", () => {
  const told = (...args: string[]) => parseTrainOptions([...NEEDED, ...args]).told;
  assertEquals(told("--resume", "--save-every", "5", "--updates", "7"), told());
  assertEquals(told("--seed", "5").seed, 5);
});

Deno.test("trainPaths() names all that is read and written", () => {
  const args = [...NEEDED, "--valid", "b.txt.gz", "--model", "m"];
  assertEquals(trainPaths(args), { read: ["a.txt", "b.txt.gz", "m"], write: ["runs/a"] });
});

Deno.test("TRAIN_HELP lists flags with their defaults", () => {
  assertStringIncludes(TRAIN_HELP, "--micro-batch N");
  assertStringIncludes(TRAIN_HELP, "learning rate at its peak (default 0.0003)");
});
