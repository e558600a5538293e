import { basename, join } from "@std/path";
import { assert, assertEquals } from "@std/assert";
import { assertClose } from "../support/assert_close.ts";
import {
  commonFolder,
  type Fixture,
  fixtureFolders,
  floatsOf,
  hasFile,
  integersOf,
  readFixture,
  readJson,
} from "../support/fixtures.ts";
import { applyRotary, rotaryTables } from "./forward.ts";
import { blockCausal, twoStream } from "./masks.ts";
import {
  forwardBlocks,
  joinBlocks,
  type KeyValues,
  loadQwenReference,
  type QwenNetwork,
} from "./qwen_network.ts";

interface Sampled {
  readonly noisy: number[];
  readonly committedLast: number[];
  readonly past: KeyValues;
}

/** Every noisy block after the clean blocks before it, which are committed one by one. */
function sampleBlocks(network: QwenNetwork, sample: Fixture, blockSize: number): Sampled {
  const [x0, xt] = [integersOf(sample, "x0"), integersOf(sample, "xt")];
  const blocks: KeyValues[] = [];
  const [noisy, committedLast]: number[][] = [[], []];
  for (let start = 0; start < x0.length; start += blockSize) {
    const end = start + blockSize;
    const past = joinBlocks(blocks);
    noisy!.push(
      ...forwardBlocks(network, { tokens: xt.slice(start, end), blockSize, past }).logits,
    );
    const clean = forwardBlocks(network, { tokens: x0.slice(start, end), blockSize, past });
    committedLast!.push(...clean.logits.slice(-network.config.vocab_size));
    blocks.push(clean);
  }
  return { noisy: noisy!, committedLast: committedLast!, past: joinBlocks(blocks) };
}

for (const folder of [...fixtureFolders("sdar"), ...fixtureFolders("fast_dllm")]) {
  const name = basename(folder);
  const network = loadQwenReference(folder);
  const { block_size: blockSize } = readJson(join(folder, "meta.json")) as { block_size: number };
  const sample = readFixture(join(folder, "sample.safetensors"));

  Deno.test(`forwardBlocks() gives every recorded value of ${name}`, () => {
    const hidden = readFixture(join(folder, "hidden.safetensors"));
    const record = new Map<string, Float64Array>();
    const pass = { tokens: integersOf(hidden, "tokens"), blockSize, record };
    const { logits } = forwardBlocks(network, pass);
    const recorded = [...hidden.keys()].filter((each) => !["tokens", "logits"].includes(each));
    for (const each of recorded) {
      const value = record.get(each) ?? record.get(`layer0.${each}`);
      assert(value, `"${each}" is computed`);
      assertClose(value, floatsOf(hidden, each), {}, each);
    }
    assertClose(logits, floatsOf(hidden, "logits"), {}, "logits");
  });

  Deno.test(`forwardBlocks() gives the logits and the cache of ${name} block by block`, () => {
    const { noisy, committedLast, past } = sampleBlocks(network, sample, blockSize);
    assertClose(noisy, floatsOf(sample, "logits"), {}, "logits");
    assertClose(past.keys.flatMap((each) => [...each]), floatsOf(sample, "k_clean"), {}, "k");
    assertClose(past.values.flatMap((each) => [...each]), floatsOf(sample, "v_clean"), {}, "v");
    if (!sample.has("commit_last_logits")) return;
    assertClose(committedLast, floatsOf(sample, "commit_last_logits"), {}, "commit");
  });

  if (sample.has("logits_bf16_weights")) {
    Deno.test(`forwardBlocks() widens the bf16 weights of ${name}`, () => {
      const shards = join(folder, "bf16");
      const half = hasFile(shards)
        ? loadQwenReference(shards)
        : loadQwenReference(folder, "model.bf16.safetensors");
      const { noisy } = sampleBlocks(half, sample, blockSize);
      assertClose(noisy, floatsOf(sample, "logits_bf16_weights"));
    });
  }
}

Deno.test("applyRotary() gives the recorded vectors of qwen-common", () => {
  const cases = readJson(join(commonFolder("qwen-common"), "rotary.json")) as {
    head_dim: number;
    theta: number;
    pos: number;
    x: number[];
    out: number[];
  }[];
  assert(cases.length > 0);
  for (const { head_dim: headSize, theta: base, pos, x, out } of cases) {
    const tables = rotaryTables([pos], { headSize, base });
    assertClose(applyRotary(x, { ...tables, headSize }), out, { tolerance: 1e-6 }, `at ${pos}`);
  }
});

Deno.test("the masks are those of qwen-common", () => {
  const mask = readJson(join(commonFolder("qwen-common"), "mask.json")) as {
    n: number;
    block_size: number;
    two_stream: number[][];
    block_causal: number[][];
  };
  const { n: length, block_size: blockSize } = mask;
  const rows = (size: number, isVisible: (query: number, key: number) => boolean) =>
    Array.from(
      { length: size },
      (_, query) => Array.from({ length: size }, (_, key) => Number(isVisible(query, key))),
    );
  const shape = { length, blockSize };
  assertEquals(rows(2 * length, (q, k) => twoStream(q, k, shape)), mask.two_stream);
  assertEquals(rows(length, (q, k) => blockCausal(q, k, shape)), mask.block_causal);
});
