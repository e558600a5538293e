import { assert, assertAlmostEquals, assertEquals, assertMatch } from "@std/assert";
import { run } from "../../src/commands/evaluate.ts";
import type { Surroundings } from "../../src/commands/model_command.ts";
import { writeTinyCheckpoint } from "../support/checkpoints.ts";
import { ORIGINAL_MODEL } from "../support/original_model.ts";
import { ROOT, runDeno } from "../support/process.ts";
import { typed } from "../support/fake_process.ts";
import { Pipe, Screen } from "../support/screen.ts";

const LAUNCH = ["run", "--allow-all", `${ROOT}src/commands/launch.ts`, "evaluate"];
/** 64 windows of held-out stories. */
const EXCERPT = `${ROOT}test/fixtures/tinystories-valid-excerpt.txt.gz`;

/** What the command prints of the excerpt's first windows. */
async function evaluateExcerpt(...args: string[]) {
  const fixed = ["--text", EXCERPT, "--windows", "12", "--json"];
  const { status, stdout, stderr } = await runDeno([...LAUNCH, ...fixed, ...args]);
  assertEquals([status, stderr], [0, ""]);
  return JSON.parse(stdout);
}

Deno.test("evaluate comes near what PyTorch gave for the original model", async () => {
  const model = ["--model", ORIGINAL_MODEL.directory];
  const { results, ...setup } = await evaluateExcerpt(...model, "--block-size", "4,8,16");
  const { bytes, ...known } = setup;
  assertEquals(known, {
    ...{ model: ORIGINAL_MODEL.id, weights: "f16", windows: 12, window_tokens: 256 },
    ...{ tokens: 12 * 255, noise: "counts", samples: 1, seed: 1 },
  });
  // From its card: nats per token of 215,040 held-out tokens, of which these are some.
  for (const [i, [blockSize, nats]] of [[4, 2.137], [8, 2.224], [16, 2.307]].entries()) {
    const each = results[i];
    assertEquals([each.block_size, each.exact], [blockSize, false]);
    assertAlmostEquals(each.nelbo_per_token, nats!, 4 * each.stderr);
    assert(each.stderr > 0 && each.stderr < 0.2, `standard error ${each.stderr}`);
    assertAlmostEquals(each.perplexity, Math.exp(each.nelbo_per_token), 1e-9);
    const bits = each.nelbo_per_token * 12 * 255 / Math.LN2;
    assertAlmostEquals(each.bits_per_byte, bits / bytes, 1e-9);
  }
});

Deno.test("evaluate finds the model that ships better than the original", async () => {
  const [shipped, original] = [
    await evaluateExcerpt(),
    await evaluateExcerpt("--model", ORIGINAL_MODEL.directory),
  ];
  assertEquals([shipped.model, shipped.weights], ["tinystories-bd3lm", "f16"]);
  const [nats, before] = [shipped, original].map(({ results: [each] }) => each.nelbo_per_token);
  assert(nats < before, `${nats} nats per token, ${before} before`);
});

/** Runs the command in this process on a tiny model and a text. */
async function evaluate(
  args: readonly string[],
  { text = "Once upon a time there was. ".repeat(8), stderr = new Pipe(), interrupt = false }: {
    text?: string;
    stderr?: Pipe | Screen;
    interrupt?: boolean;
  } = {},
) {
  const stdout = new Pipe();
  const surroundings: Surroundings = {
    stdin: typed([]),
    stdout,
    stderr,
    randomBytes: (count) => new Uint8Array(count),
    onInterrupt: (abort) => {
      if (interrupt) abort(130);
      return { [Symbol.dispose]: () => {} };
    },
  };
  const directory = await Deno.makeTempDir();
  try {
    // Its context: 32 tokens, which here are bytes.
    writeTinyCheckpoint(`${directory}/tiny`);
    await Deno.writeTextFile(`${directory}/text`, text);
    const files = ["--model", `${directory}/tiny`, "--text", `${directory}/text`];
    const status = await run([...files, ...args], surroundings);
    return { status, stdout: stdout.written, stderr: stderr.written };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("run() prints a table over block sizes", async () => {
  const { status, stdout, stderr } = await evaluate(["--block-size", "1,4,all", "--samples", "2"]);
  assertEquals([status, stderr], [0, ""]);
  const [model, windows, noise, empty, head, ...rows] = stdout.split("\n");
  assertEquals([model, noise, empty], [
    "tiny, f32 weights",
    "noise by counts, 2 draws, seed 1",
    "",
  ]);
  // BOS and 224 bytes are 7 windows of 32 tokens.
  assertEquals(windows, "7 windows of 32 tokens: 217 tokens scored, 217 bytes");
  assertMatch(head!, /^block size +nats\/token +± +perplexity +± +bits\/byte$/);
  assertEquals(rows.map((row) => row.slice(0, 14).trim()), [
    "1           =",
    "4           ≤",
    "32          ≤",
    "",
  ]);
});

Deno.test("run() searches the range of times", async () => {
  const { status, stdout } = await evaluate(["--search-clip", "--windows", "2"]);
  assertEquals(status, 0);
  assertMatch(stdout, /^noise by t, loglinear, 1 draw, seed 1$/m);
  assertEquals(stdout.match(/^U\[.*\] +\d+\.\d{4} +\d+\.\d{4}( {2}<)?$/mg)?.length, 36);
  assertEquals(stdout.match(/ {2}<$/mg)?.length, 1);
  const json = await evaluate(["--search-clip", "--windows", "2", "--json", "--block-size", "1"]);
  const { clip_search: [search], windows } = JSON.parse(json.stdout);
  assertEquals([windows, search.block_size, search.candidates.length], [2, 1, 2]);
});

Deno.test("run() shows how far it is on a terminal, and removes that", async () => {
  const screen = new Screen(60, 4);
  const { status } = await evaluate(["--block-size", "2"], { stderr: screen });
  assertEquals(status, 0);
  assertMatch(screen.written, /\rtokenising .*100 %[^]*\rblock size 2 .*100 %/);
  assertEquals(screen.lines.join("").trim(), "");
});

const WRONG: [string[], string, RegExp][] = [
  [["--block-size", "5"], "text", /^Cannot evaluate in blocks of 5: the model sees 32 tokens/],
  [[], "", /^Cannot evaluate ".*text": it has less than two tokens/],
  [["--windows"], "text", /^Cannot read --windows/],
];

for (const [args, text, message] of WRONG) {
  Deno.test(`run() refuses ${JSON.stringify(args)} on ${JSON.stringify(text)}`, async () => {
    const { status, stdout, stderr } = await evaluate(args, { text });
    assertEquals([status, stdout], [2, ""]);
    assertMatch(stderr, message);
  });
}

Deno.test("run() ends with the signal's status", async () => {
  const { status, stdout, stderr } = await evaluate([], { interrupt: true });
  assertEquals([status, stdout, stderr], [130, "", ""]);
});

Deno.test("run() explains its flags with --help", async () => {
  const { status, stdout } = await evaluate(["--help"]);
  assertEquals(status, 0);
  assertMatch(stdout, /deno task evaluate --text FILE/);
});
