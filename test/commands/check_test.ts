import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { check } from "../../src/commands/check.ts";
import { WEIGHT_FORMATS } from "../../src/weights/formats.ts";
import {
  tinyTokenizer,
  writeJson,
  writeRawSafetensors,
  writeTinyCheckpoint,
} from "../support/checkpoints.ts";
import { PUBLISHED, writePublished } from "../support/published_decoders.ts";
import { DAMAGE, writeDamagedCheckpoint } from "../support/damaged_checkpoints.ts";
import { withTempDir } from "../support/temp_dir.ts";

const CONFIG = fromFileUrl(new URL("../../deno.json", import.meta.url));
const MIB = 2 ** 20;

for (const shards of [1, 2]) {
  Deno.test(`check() passes a sound checkpoint of ${shards} files`, () => {
    withTempDir((directory) => {
      writeTinyCheckpoint(directory, { shards, dtype: "BF16" });
      const report = check(directory);
      assert(report.ok, JSON.stringify(report));
      assertEquals(
        [report.model_type, report.dtype, report.vocab_size, report.context_length],
        ["bd3lm", "BF16", 258, 32],
      );
      assertEquals([report.default_block_size, report.block_sizes], [4, [1, 2, 4, 8, 16, 32]]);
    });
  });
}

Deno.test("check() passes the model that ships", () => {
  const folder = fromFileUrl(new URL("../../models/tinystories-bd3lm", import.meta.url));
  const report = check(folder);
  assert(report.ok);
  const { memory_bytes: _, ...others } = report;
  assertEquals(others, {
    ok: true,
    model_type: "bd3lm",
    parameters: 7161152,
    bytes: Deno.statSync(join(folder, "model.safetensors")).size,
    dtype: "F16",
    vocab_size: 4096,
    context_length: 256,
    default_block_size: 8,
    block_sizes: [1, 2, 4, 8, 16, 32, 64, 128, 256],
  });
});

Deno.test("check() says what a large checkpoint takes without reading its weights", () => {
  withTempDir((directory) => {
    const { config, ...decoder } = PUBLISHED["SDAR-4B"];
    // 8.8 GB of zeros, which are not on the disk. The tiny tokenizer has a mask of its own.
    writePublished(directory, { ...decoder, config: { ...config, mask_token_id: 151_669 } });
    writeJson(join(directory, "tokenizer.json"), tinyTokenizer());
    const { status, report: [report], peakBytes, ms } = runAlone([
      ...[directory, "--context", "1024", "--max-concurrent", "2"],
    ]);
    assertEquals([status, report.ok, report.context_length], [0, true, 32_768]);
    assertEquals(Object.keys(report.memory_bytes), WEIGHT_FORMATS);
    // Two bytes of each of 4.41 billion weights, and 72 heads' keys and values of 2 × 1024 tokens:
    // what is beside them is small.
    const { f16, int8 } = report.memory_bytes;
    const cache = 2 * 1024 * 36 * 2 * 8 * 128 * 2;
    assert(f16 > 8.82e9 + cache && f16 < (8.82e9 + cache) * 1.06, `${f16}`);
    assert(int8 > 4.9e9 + cache && int8 < 5.6e9 + 2 * cache, `${int8}`);
    assert(peakBytes < 512 * MIB, `${peakBytes / MIB} MiB`);
    assert(ms < 10_000, `${ms} ms`);
    const more = check(directory, { context: 4096, maxConcurrent: 8 });
    // By default as well, and a longer context with more sequences has a larger cache.
    assertEquals(check(directory), more);
    assert(more.ok && more.memory_bytes.int8 > int8 + 14 * cache);
  });
});

Deno.test("check() is tried on at least 100 kinds of damage, each once", () => {
  const names = DAMAGE.map(({ name }) => name);
  assertEquals(new Set(names).size, names.length);
  assert(names.length >= 100, `${names.length}`);
});

for (const damage of DAMAGE) {
  Deno.test(`check() refuses ${damage.name}`, () => {
    withTempDir((parent) => {
      const report = check(writeDamagedCheckpoint(parent, damage));
      assert(!report.ok, "passed");
      assertEquals([report.file, report.code], [damage.file, damage.code], report.message);
      assertStringIncludes(report.message, damage.says ?? "");
      assert(!report.message.includes(parent), "tells where the directory is");
      assert(report.message.length < 1000, "goes on and on");
    });
  });
}

/** The heaviest damage: files that unfold as far as the limits let them. */
const HEAVY: readonly [name: string, file: string, text: () => string][] = [
  ["lists", "model.safetensors", () => `{"x":[${"[],".repeat(262_000)}[]]}`],
  ["keys", "model.safetensors", () => `{${entries(174_000, (i) => `"tensor ${i}":{}`)}}`],
  ["a long string", "model.safetensors", () => `{"x":"${"中".repeat(5_590_000)}"}`],
  ["a long name", "model.safetensors", () => `{"${"中".repeat(5_590_000)}":0}`],
  ["a long string", "tokenizer.json", () => `{"x":"${"中".repeat(700_000)}"}`],
  ["tokens", "tokenizer.json", () => (
    `{"model":{"type":"BPE","vocab":{${entries(50_000, (i) => `"token ${i}":${i}`)}}}}`
  )],
  ["spaces", "chat_template.jinja", () => " ".repeat(65_534) + "{{"],
  ["tests", "chat_template.jinja", () => "{% if a %}".repeat(6500)],
  ["merges", "tokenizer.json", () => (
    `{"model":{"type":"BPE","merges":[${entries(101_000, (i) => `"a b${i}"`)}]}}`
  )],
];

function entries(count: number, write: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => write(i)).join(",");
}

for (const [name, file, text] of HEAVY) {
  Deno.test(`check() refuses a ${file} of ${name} in little time and memory`, () => {
    withTempDir((parent) => {
      const directory = writeTinyCheckpoint(join(parent, "checkpoint"));
      writeHeavy(join(directory, file), text());
      const { report: [report], peakBytes, status, ms } = runAlone([directory]);
      assertEquals([status, report.ok, report.file], [1, false, file]);
      const sizes = [...Deno.readDirSync(directory)]
        .map((entry) => Deno.statSync(join(directory, entry.name)).size);
      const limit = 256 * MIB + sizes.reduce((sum, size) => sum + size, 0);
      assert(peakBytes < limit, `${peakBytes / MIB} MiB of ${limit / MIB}`);
      assert(ms < 10_000, `${ms} ms`);
    });
  });
}

/** A tokenizer, or a safetensors file that is all header. */
function writeHeavy(path: string, text: string): void {
  if (path.endsWith(".safetensors")) writeRawSafetensors(path, text, []);
  else Deno.writeTextFileSync(path, text);
}

/** Runs the command in a process of its own and measures what it takes. */
function runAlone(args: readonly string[]) {
  const module = new URL("../../src/commands/check.ts", import.meta.url);
  const start = performance.now();
  const script = `import { run } from ${JSON.stringify(module)};
    const status = await run(${JSON.stringify(args)});
    const peak = /VmHWM:\\s+(\\d+)/.exec(Deno.readTextFileSync("/proc/self/status"))[1];
    console.log(JSON.stringify({ status, peakBytes: 1024 * peak }));`;
  const { stdout, stderr } = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "-A",
      "--config",
      CONFIG,
      `data:text/javascript,${encodeURIComponent(script)}`,
    ],
  }).outputSync();
  const ms = performance.now() - start;
  const [out, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes).trim());
  const lines = out!.split("\n").map((line) => line === "" ? null : JSON.parse(line));
  const { status, peakBytes } = lines.pop() ?? {};
  return { status, peakBytes, ms, errors, report: lines };
}

Deno.test("run() prints one line and ends with status 0 for a sound checkpoint", () => {
  withTempDir((directory) => {
    writeTinyCheckpoint(directory);
    const { status, report, errors } = runAlone([directory]);
    assertEquals([status, report, errors], [0, [check(directory)], ""]);
  });
});

Deno.test("run() ends with status 2 where not one directory is given", () => {
  for (const args of [[], ["a", "b"], ["--json"]]) {
    const { status, report, errors } = runAlone(args);
    assertEquals([status, report], [2, []]);
    assertStringIncludes(errors!, "Usage: deno task check DIR");
  }
});
