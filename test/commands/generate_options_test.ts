import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { FakeProcess } from "../support/fake_process.ts";
import { BYTE_MODEL } from "../support/scripted_engine.ts";

Deno.test("run() asks the engine for what the flags say", async () => {
  const process = new FakeProcess();
  const status = await process.run([
    ..."--max-tokens 5 --temperature 0.5 --top-p .9 --top-k 40 --seed 9007199254740991".split(" "),
    ..."--block-size=8 --strategy low_confidence_dynamic --steps 3 --threshold 0.8".split(" "),
    ..."--ignore-eos --min-entropy 1.5".split(" "),
    "--",
    "- a",
  ]);
  assertEquals([status, process.stderr.written], [0, ""]);
  assertEquals(process.engine.submitted, [{
    prompt: [45, 32, 97],
    maxTokens: 5,
    blockSize: 8,
    strategy: { strategy: "low_confidence_dynamic", steps: 3, threshold: 0.8 },
    temperature: 0.5,
    topP: 0.9,
    topK: 40,
    seed: 2 ** 53 - 1,
    choice: 0,
    stopTokens: [],
    minEntropy: 1.5,
    trace: false,
  }]);
});

Deno.test("run() fills in what the flags leave out", async () => {
  const process = new FakeProcess({ model: { contextLength: 100, bosToken: 256 } });
  assertEquals(await process.run(["abc"]), 0);
  const [request] = process.engine.submitted;
  assertEquals(request?.prompt, [256, 97, 98, 99]);
  assertEquals(request?.maxTokens, 96);
  assertEquals([request?.blockSize, request?.stopTokens], [4, BYTE_MODEL.stopTokens]);
  // The random bytes of the fake process are all 1: (0x01010101 mod 2^21) · 2^32 + 0x01010101.
  assertEquals(request?.seed, 0x00010101 * 2 ** 32 + 0x01010101);
});

Deno.test("run() takes 256 tokens where more would fit, and more with --overflow slide", async () => {
  const process = new FakeProcess();
  await process.run(["abc"]);
  await process.run(["abc", "--overflow", "slide", "--max-tokens", "5000"]);
  assertEquals(process.engine.submitted.map(({ maxTokens }) => maxTokens), [256, 5000]);
});

const WRONG: [string[], string][] = [
  [["--tempature", "1"], '"--tempature"'],
  [["--temperature"], "--temperature"],
  [["--temperature", "hot"], 'Cannot read --temperature: value is "hot", expected a number'],
  [["--temperature", "0x1"], "expected a number"],
  [["--temperature", "1e999"], "expected a number"],
  [["--temperature", "3"], "--temperature must be a number from 0 to 2, got 3"],
  [["--top-p", "0"], "--top-p must be a number above 0 and at most 1, got 0"],
  [["--max-tokens", "1.5"], "--max-tokens must be an integer"],
  [["--seed", "-1"], "--seed must be an integer from 0"],
  [["--seed", "1", "--seed", "2"], "--seed"],
  [["--weights", "f8"], "expected one of f32, f16, int8, int4"],
  [["--strategy", "magic"], "--strategy must be one of"],
  [["--strategy", "first_hitting", "--steps", "4"], "--steps cannot be given with the strategy"],
  [["--entropy-bound", "0", "--strategy", "entropy_bounded"], "--entropy-bound must be a number"],
  [["--overflow", "wrap"], "--overflow must be one of"],
  [["--stop", ""], "--stop"],
  [["--stop", "a".repeat(257)], "--stop"],
  [["a", "b"].flatMap((each) => ["--stop", each, "--stop", each, "--stop", each]), "--stop"],
  [["Once", "upon"], "2 prompts are given, expected one in quotes"],
];

for (const [args, message] of WRONG) {
  const shown = JSON.stringify(args).slice(0, 60);
  Deno.test(`run() refuses ${shown} before the model is opened`, async () => {
    const process = new FakeProcess();
    assertEquals(await process.run(args), 2);
    assertStringIncludes(process.stderr.written, message);
    assertEquals(process.stderr.written.split("\n").length, 2);
    assertEquals([process.opened, process.stdout.written], [null, ""]);
  });
}

Deno.test("run() refuses what the model cannot do, and closes it", async () => {
  const cases: [string[], string][] = [
    [["--block-size", "5"], "--block-size must be one of 1, 2, 4, 8, 16, 32, got 5"],
    [["--steps", "4"], '--steps cannot be given with the strategy "first_hitting"'],
    [["--top-k", "1000"], "--top-k must be an integer from 0 to 259, got 1000"],
    [["abc", "--max-tokens", "100"], "is 100 tokens, but 3 prompt tokens + 100 max_tokens"],
    [["a".repeat(100)], "lower --max-tokens or give --overflow slide"],
  ];
  for (const [args, message] of cases) {
    const process = new FakeProcess({ model: { contextLength: 100 } });
    assertEquals(await process.run(args), 2);
    assertStringIncludes(process.stderr.written, message);
    assertEquals([process.closed, process.engine.submitted.length], [1, 0]);
  }
});

Deno.test("run() samples by the model's defaults where no flag says how", async () => {
  const defaults = { temperature: 0, strategy: "low_confidence_dynamic", threshold: 0.5 };
  const process = new FakeProcess({ model: { defaults } });
  await process.run(["abc"]);
  await process.run(["abc", "--temperature", "0.5", "--strategy", "sequential"]);
  const asked = process.engine.submitted.map((
    { temperature, strategy },
  ) => [temperature, strategy]);
  assertEquals<unknown>(asked, [
    [0, { strategy: "low_confidence_dynamic", threshold: 0.5 }],
    [0.5, { strategy: "sequential" }],
  ]);
});

for (const flag of ["--help", "-h"]) {
  Deno.test(`run() explains every flag with ${flag}`, async () => {
    const process = new FakeProcess();
    assertEquals(await process.run(["--tempature", flag]), 0);
    const { written } = process.stdout;
    for (const name of ["max-tokens", "entropy-bound", "ignore-eos", "overflow", "trace"]) {
      assertStringIncludes(written, `--${name}`);
    }
    for (const line of written.split("\n")) assert(line.length <= 100, line);
    assertEquals(process.opened, null);
  });
}

Deno.test("run() takes --help after -- for the prompt", async () => {
  const process = new FakeProcess();
  assertEquals(await process.run(["--max-tokens", "6", "--", "--help"]), 0);
  assertEquals(process.stdout.written, "--help\n");
});
