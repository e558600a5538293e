import { assertEquals, assertStringIncludes } from "@std/assert";
import { FakeProcess, piped } from "../support/fake_process.ts";
import { Screen } from "../support/screen.ts";

Deno.test("run() compares the values of an option on one prompt and seed", async () => {
  let draws = 0;
  class RandomProcess extends FakeProcess {
    override readonly randomBytes = (count: number) => new Uint8Array(count).fill(draws += 1);
  }
  const process = new RandomProcess();
  const args = ["abc", "--compare", "block_size=2,8", "--max-tokens", "8"];
  assertEquals([await process.run(args), process.stderr.written], [0, ""]);
  // The first random bytes are all 1: (0x01010101 mod 2^21) · 2^32 + 0x01010101.
  const seed = "282578800148737";
  assertEquals(process.stdout.written.split("\n"), [
    "── block_size = 2 ──",
    "abcabcab",
    "",
    "── block_size = 8 ──",
    "abcabcab",
    "",
    // Blocks of 1.5 ms each; a pass for each token after that of the prompt.
    "block_size  tokens  passes  tokens/pass  tokens/s             seed",
    `2                8       9         0.89    1333.3  ${seed}`,
    `8                8       9         0.89    5333.3  ${seed}`,
    "",
  ]);
  const [first, second, ...measured] = process.engine.submitted;
  assertEquals([first, second].map((each) => [each?.blockSize, each?.maxTokens]), [[2, 4], [8, 8]]);
  assertEquals(measured.map(({ blockSize, maxTokens }) => [blockSize, maxTokens]), [[2, 8], [
    8,
    8,
  ]]);
  assertEquals(new Set(measured.map(({ seed }) => seed)).size, 1);
});

Deno.test("run() compares strategies with --json, the prompt from a pipe", async () => {
  const process = new FakeProcess({ stdin: piped("hi\n"), stderr: new Screen(60, 4) });
  const args = ["--compare=strategy=sequential,ancestral", "--seed", "3", "--json"];
  assertEquals(await process.run([...args, "--max-tokens", "4", "--steps", "4"]), 0);
  const { compare, results } = JSON.parse(process.stdout.written);
  assertEquals(compare, "strategy");
  type Result = { value: string; seed: number; text: string; params: { strategy: string } };
  assertEquals(
    results.map(({ value, seed, text, params }: Result) => [value, seed, text, params.strategy]),
    [["sequential", 3, "hihi", "sequential"], ["ancestral", 3, "hihi", "ancestral"]],
  );
  assertStringIncludes(process.stderr.written, "warming up");
  assertStringIncludes(process.stderr.written, "strategy = ancestral");
  assertEquals((process.stderr as Screen).lines, [""]);
});

Deno.test("run() compares seeds, and options that are on or off", async () => {
  const seeds = new FakeProcess();
  assertEquals(await seeds.run(["a", "--compare", "seed=1,2", "--max-tokens", "1"]), 0);
  assertEquals(seeds.engine.submitted.map(({ seed }) => seed), [1, 2, 1, 2]);
  const ends = new FakeProcess();
  assertEquals(await ends.run(["a", "--compare", "ignore-eos=true,false", "--max-tokens=1"]), 0);
  assertEquals(
    ends.engine.submitted.map(({ stopTokens }) => stopTokens),
    [[], [257], [], [257]],
  );
});

const WRONG: [string[], string][] = [
  [["--compare", "strategy"], 'Cannot read --compare: value is "strategy", expected an option'],
  [["--compare", "strategy=ancestral"], "expected an option and values"],
  [["--compare", "strategy=ancestral,"], "expected an option and values"],
  [["--compare", "weights=f16,int8"], "expected an option and values"],
  [["--compare", "strategy=ancestral,magic"], "--strategy must be one of"],
  [["--compare", "block_size=4,x"], 'Cannot read --block-size: value is "x"'],
  [["--compare", "seed=1,2", "--seed", "3"], "--seed: it is given twice"],
  [["--compare", "strategy=sequential,first_hitting", "--steps", "2"], "--steps cannot be given"],
];

for (const [args, message] of WRONG) {
  Deno.test(`run() refuses ${args.join(" ")} before the model is opened`, async () => {
    const process = new FakeProcess();
    assertEquals(await process.run(args), 2);
    assertStringIncludes(process.stderr.written, message);
    assertEquals(process.stderr.written.split("\n").length, 2);
    assertEquals([process.opened, process.stdout.written], [null, ""]);
  });
}

Deno.test("run() generates nothing where the model cannot do one of them", async () => {
  const process = new FakeProcess();
  assertEquals(await process.run(["--compare", "block_size=4,5"]), 2);
  assertStringIncludes(process.stderr.written, "--block-size must be one of");
  assertEquals([process.engine.submitted, process.closed], [[], 1]);
});
