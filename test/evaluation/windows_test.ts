import { join } from "@std/path";
import { assert, assertEquals } from "@std/assert";
import { boundsOf } from "../../src/evaluation/likelihood.ts";
import { Scorer } from "../../src/evaluation/scorer.ts";
import { boundsOfWindows, scoredBytes, windowsOf } from "../../src/evaluation/windows.ts";
import { byteTokenizer } from "../server/support.ts";
import { noise } from "../support/gpu.ts";
import { finish } from "../support/finish.ts";
import { loadNetwork } from "../support/forward.ts";
import { gpuTest } from "../support/gpu.ts";

const TINY = join(import.meta.dirname!, "../fixtures/bd3lm-tiny");
const BYTES = { tokenizer: byteTokenizer, bosToken: 256, length: 4 };
const [a, b, c, d] = [97, 98, 99, 100];

Deno.test("windowsOf() puts a BOS before every story, and leaves a rest out", () => {
  const text = "abc\n<|endoftext|>\nda\n<|endoftext|>\nbbb\n<|endoftext|>\n";
  assertEquals(windowsOf(text, BYTES), [[256, a, b, c], [256, d, a, 256]]);
  assertEquals(windowsOf(text, { ...BYTES, bosToken: null }), [[a, b, c, d], [a, b, b, b]]);
});

Deno.test("windowsOf() takes a text without separators for one story", () => {
  const text = "abcda <|endoftext|> d";
  const tokens = [256, ...byteTokenizer.encode(text)];
  assertEquals(windowsOf(text, BYTES), [0, 4, 8, 12, 16].map((at) => tokens.slice(at, at + 4)));
  assertEquals(windowsOf("ab", BYTES), [[256, a, b]]);
  assertEquals(windowsOf("", BYTES), [[]]);
});

Deno.test("scoredBytes() counts the text behind the first token, special ones not", () => {
  assertEquals(scoredBytes([256, a, b, 256, c], byteTokenizer), 3);
  assertEquals(scoredBytes([a, b], byteTokenizer), 1);
});

gpuTest("boundsOfWindows() bounds each window with noise of its own", async (gpu) => {
  using network = loadNetwork(gpu, TINY, { format: "f32" });
  using scorer = await Scorer.open(gpu, network, { rows: 512 });
  // More than are drawn at a time, and all the same.
  const window = Array.from(noise(32), (each) => Math.floor((each + 1) * 29.9));
  const windows = Array(70).fill(window);
  const options = { estimator: { type: "counts" }, samples: 2, seed: 4 } as const;
  const shares: number[] = [];
  const steps = boundsOfWindows(scorer, windows, { ...options, blockSize: 4 });
  let step = await steps.next();
  for (; !step.done; step = await steps.next()) shares.push(step.value.share);
  const texts = windows.map((x0) => ({ x0, given: 1, blockSize: 4 }));
  const positionOf = (i: number) => 32 * i;
  assertEquals(step.value, await finish(boundsOf(scorer, texts, { ...options, positionOf })));
  assertEquals(new Set(step.value.map(({ nelbo }) => nelbo)).size, 70);
  assertEquals(shares, shares.toSorted((one, other) => one - other));
  assert(shares[0]! > 0 && shares.at(-1) === 1, `${shares}`);
});
