import { join } from "@std/path";
import { assertThrows } from "@std/assert";
import { assertClose } from "../support/assert_close.ts";
import { commonFolder, readJson } from "../support/fixtures.ts";
import {
  addGated,
  applyRotary,
  attention,
  embed,
  geluTanh,
  layerNorm,
  linear,
  modulate,
  rotaryTables,
  silu,
  softmax,
  subsLogProbabilities,
  timestepEmbedding,
} from "./forward.ts";

const common = commonFolder();

interface RotaryCase {
  readonly head_dim: number;
  readonly pos: number;
  readonly x: number[];
  readonly out: number[];
}

for (const { head_dim, pos, x, out } of readJson(join(common, "rotary.json")) as RotaryCase[]) {
  Deno.test(`applyRotary() gives the recorded vector of ${head_dim} at position ${pos}`, () => {
    const tables = rotaryTables([pos], { headSize: head_dim });
    // The recording multiplies position and frequency in f32: 1e-4 absolute at position 1024.
    const tolerance = 1e-4;
    assertClose(applyRotary(x, { ...tables, headSize: head_dim }), out, { tolerance });
  });
}

Deno.test("timestepEmbedding() gives the recorded features", () => {
  const recorded = readJson(join(common, "timestep_embedding.json")) as {
    t: number[];
    dim: number;
    embedding: number[][];
  };
  recorded.t.forEach((t, i) => {
    assertClose(timestepEmbedding(t, recorded.dim), recorded.embedding[i]!, {}, `t = ${t}`);
  });
});

Deno.test("embed() looks every token up", () => {
  assertClose(embed([2, 0], [1, 2, 3, 4, 5, 6], 2), [5, 6, 1, 2], { tolerance: 0 });
});

Deno.test("layerNorm() centres and scales each row by its own deviation", () => {
  const y = layerNorm([1, 3, 10, 10, -2, 6], { width: 2, epsilon: 1e-12 });
  assertClose(y, [-1, 1, 0, 0, -1, 1]);
});

Deno.test("layerNorm() adds epsilon to the variance", () => {
  assertClose(layerNorm([-1, 1], { width: 2, epsilon: 3 }), [-0.5, 0.5]);
});

Deno.test("modulate() applies gain, then shift, by column", () => {
  assertClose(modulate([1, 2, 3, 4], { gain: [2, 3], shift: [10, 20] }), [12, 26, 16, 32]);
  assertClose(modulate([1, 2, 3, 4], { gain: [2, 3] }), [2, 6, 6, 12]);
});

Deno.test("linear() multiplies by the transposed weight and adds the bias", () => {
  const weight = [1, 0, 0, 1, 1, 1];
  assertClose(linear([3, 5, 7, 11], weight, { width: 2 }), [3, 5, 8, 7, 11, 18]);
  const biased = linear([3, 5], weight, { width: 2, bias: [1, 2, 3] });
  assertClose(biased, [4, 7, 11]);
});

Deno.test("addGated() gates the update by column, or not at all", () => {
  assertClose(addGated([1, 1, 1, 1], [1, 2, 3, 4], [10, 0]), [11, 1, 31, 1]);
  assertClose(addGated([1, 1], [1, 2]), [2, 3]);
});

Deno.test("geluTanh() gives the published values", () => {
  // torch.nn.functional.gelu(x, approximate="tanh")
  assertClose(geluTanh([-1, 0, 1, 3]), [-0.1588080, 0, 0.8411920, 2.9963627], { tolerance: 1e-7 });
});

Deno.test("silu() gives x times its logistic", () => {
  assertClose(silu([0, Math.log(3), -Math.log(3)]), [0, 0.75 * Math.log(3), -0.25 * Math.log(3)]);
});

Deno.test("softmax() does not overflow", () => {
  assertClose(softmax([1000, 1000 + Math.log(3)]), [0.25, 0.75]);
});

// Two heads of size 1: scores are q · k, so ln 3 weighs a key three times as much as 0.
const operands = {
  q: [Math.log(3), 0],
  k: [1, 1, 0, 0, 5, 5],
  v: [4, 4, 8, 8, 99, 99],
  heads: 2,
  headSize: 1,
};

Deno.test("attention() weighs the visible keys per head", () => {
  const y = attention({ ...operands, visible: (_, key) => key < 2 });
  assertClose(y, [5, 6]);
});

Deno.test("attention() divides scores by the root of the head size", () => {
  const q = [2 * Math.log(3), 0, 0, 0];
  const k = [1, 0, 0, 0, 0, 0, 0, 0];
  const v = [4, 0, 0, 0, 8, 0, 0, 0];
  const y = attention({ q, k, v, heads: 1, headSize: 4, visible: () => true });
  assertClose(y, [5, 0, 0, 0]);
});

Deno.test("attention() throws when a query sees nothing", () => {
  assertThrows(() => attention({ ...operands, visible: () => false }), RangeError, "query 0");
});

Deno.test("subsLogProbabilities() forbids the mask and keeps what is known", () => {
  const logits = [0, Math.log(3), 50, 9, 9, 9];
  const p = subsLogProbabilities(logits, [2, 0], { mask: 2 }).map(Math.exp);
  assertClose(p, [0.25, 0.75, 0, 1, 0, 0]);
});
