import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Surroundings } from "../../src/commands/model_command.ts";
import { run } from "../../src/commands/profile.ts";
import { ROOT, runDeno } from "../support/process.ts";
import { typed } from "../support/fake_process.ts";
import { Pipe } from "../support/screen.ts";
import { TraceFile } from "../support/trace_schema.ts";

const LAUNCH = ["run", "--allow-all", `${ROOT}src/commands/launch.ts`];
const REQUEST = ["Once upon a time", "--max-tokens", "12", "--seed", "7"];

/** The kernels that every pass of the shipped model has, on any device. */
const KERNELS = ["plan", "embed", "layer_norm", "propose", "reveal"];

/** The number in a line of the table, in the column that begins at 0. */
function numberIn(table: string, name: string, column: number): number {
  const line = table.split("\n").find((each) => each.startsWith(`${name}  `)) ?? "";
  return Number(line.slice(name.length).trim().split(/\s+/)[column]);
}

Deno.test("profile prints the text and the time per kernel, and writes a trace", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/trace.json`;
  const profiled = await runDeno([...LAUNCH, "profile", ...REQUEST, "--trace-file", path]);
  assertEquals([profiled.status, profiled.stderr], [0, ""]);
  const [text = "", table = ""] = profiled.stdout.split(/\n\n(?=kernel )/);
  assertEquals(text + "\n", (await runDeno([...LAUNCH, "generate", ...REQUEST])).stdout);

  const calls = numberIn(table, "all kernels", 0);
  const totalMs = numberIn(table, "all kernels", 1);
  const wallMs = numberIn(table, "wall time", 0);
  assert(totalMs > 0 && totalMs <= wallMs, table);
  assertEquals(numberIn(table, "tokens", 0), 12);
  // The passes of the warm-up do not count, and first-hitting wastes none.
  assert(!table.includes("after the end"), table);
  for (const kernel of KERNELS) assert(numberIn(table, kernel, 0) > 0, kernel);
  // The device chooses which of each kind.
  for (const kind of [/^linear\w* {2}/m, /^attention\w* {2}/m]) assertMatch(table, kind);
  assert(!table.includes("its clock may not"), table);

  const { traceEvents } = TraceFile.parse(JSON.parse(await Deno.readTextFile(path)));
  await Deno.remove(directory, { recursive: true });
  const spans = traceEvents.filter((event) => event.ph === "X");
  const kernels = spans.filter(({ cat }) => cat === "kernel");
  assertEquals(kernels.length, calls);
  const sumUs = kernels.reduce((sum, { dur }) => sum + dur, 0);
  // The table rounds to hundredths of a millisecond.
  assert(Math.abs(sumUs / 1000 - totalMs) < 0.01, `${sumUs} µs, ${totalMs} ms`);
  // A pass begins with its plan, and ends with what it reveals.
  assertEquals([kernels[0]!.name, kernels.at(-1)!.name], ["plan", "reveal"]);
  assertEquals(kernels.filter(({ name }) => name === "plan").length, numberIn(table, "passes", 0));

  const host = spans.filter(({ cat }) => cat === "host");
  const bursts = host.length / 3;
  for (const name of ["record", "submit", "read"]) {
    const numbers = host.filter((each) => each.name === name).map(({ args }) => args.burst);
    assertEquals(numbers, Array.from({ length: bursts }, (_, burst) => burst));
  }
  for (const own of [host, kernels]) {
    assertEquals(new Set(own.map(({ tid }) => tid)).size, 1);
    // One after the other; microseconds of a float64 that is large end a little late.
    const ends = own.map(({ ts, dur }) => ts + dur - 0.001);
    assertEquals(own.findIndex(({ ts }, i) => i > 0 && ts < ends[i - 1]!), -1);
  }
});

Deno.test("profile writes nothing where no file is named, and says where it cannot", async () => {
  const short = ["--max-tokens", "1"];
  const before = [...Deno.readDirSync(ROOT)].map(({ name }) => name).sort();
  const { status, stdout } = await runDeno([...LAUNCH, "profile", ...short]);
  assertEquals([...Deno.readDirSync(ROOT)].map(({ name }) => name).sort(), before);
  assertEquals(status, 0);
  assertMatch(stdout, /^all kernels +\d+ +\d+\.\d\d +100\.0 % +\d+\.\d$/m);
  const failed = await runDeno([...LAUNCH, "profile", ...short, "--trace-file", "/no/such/file"]);
  assertEquals(failed.status, 1);
  assertStringIncludes(failed.stdout, "all kernels");
  assertStringIncludes(failed.stderr, 'Cannot write "/no/such/file": ');
  assertEquals(failed.stderr.split("\n").length, 2);
});

Deno.test("run() ends with the signal's status while it generates, without a table", async () => {
  const interruption = Promise.withResolvers<(status: number) => void>();
  const stdout = new class extends Pipe {
    override write(text: string): void {
      super.write(text);
      interruption.promise.then((interrupt) => interrupt(130));
    }
  }();
  const args = ["--max-tokens", "200", "--seed", "7", "--ignore-eos"];
  const { status, stderr } = await runHere(args, { stdout, onListen: interruption.resolve });
  assertEquals([status, stderr], [130, ""]);
  assert(stdout.written.length > 0 && !stdout.written.includes("kernel"), stdout.written);
});

const WRONG: [string[], string][] = [
  // Every step read back by itself is another course of things.
  [["--trace"], '"--trace"'],
  [["--trace-file"], "--trace-file"],
  [["--trace-file", "a", "--trace-file", "b"], "it is given twice"],
  [["--top-p", "0"], "--top-p must be a number above 0"],
  [["Once", "upon"], "2 prompts are given"],
];

for (const [args, message] of WRONG) {
  Deno.test(`run() refuses ${JSON.stringify(args)} with status 2`, async () => {
    const { status, stdout, stderr } = await runHere(args);
    assertEquals([status, stdout], [2, ""]);
    assertStringIncludes(stderr, message);
  });
}

Deno.test("run() explains its flags with --help", async () => {
  const { status, stdout } = await runHere(["--help"]);
  assertEquals(status, 0);
  for (const each of ["deno task profile", "--trace-file FILE", "--top-p X", "--model DIR"]) {
    assertStringIncludes(stdout, each);
  }
  for (const line of stdout.split("\n")) assert(line.length <= 100, line);
});

/** Runs the command in this process. */
async function runHere(
  args: readonly string[],
  { stdout = new Pipe(), onListen = () => {} }: {
    stdout?: Pipe;
    onListen?: (interrupt: (status: number) => void) => void;
  } = {},
) {
  const stderr = new Pipe();
  const surroundings: Surroundings = {
    stdin: typed([]),
    stdout,
    stderr,
    randomBytes: (count) => new Uint8Array(count),
    onInterrupt: (interrupt) => {
      onListen(interrupt);
      return { [Symbol.dispose]: () => {} };
    },
  };
  const status = await run(args, surroundings);
  return { status, stdout: stdout.written, stderr: stderr.written };
}
