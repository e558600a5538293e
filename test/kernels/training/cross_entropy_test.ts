import { assert, assertEquals } from "@std/assert";
import { crossEntropy, fillZero } from "../../../kernels/training/cross_entropy.ts";
import type { LaneSums } from "../../../kernels/training/lanes.ts";
import type { Gpu } from "../../../src/gpu/mod.ts";
import { crossEntropy as reference } from "../../reference/backward.ts";
import { assertClose, gpuTest, noise, readFloats, upload, uploadWords } from "../../support/gpu.ts";

const SHAPES = [
  { heads: 1, vocabulary: 2, mask: 1 },
  { heads: 5, vocabulary: 61, mask: 60 },
  { heads: 19, vocabulary: 257, mask: 100 },
  { heads: 8, vocabulary: 4096, mask: 4095 },
];

for (const shape of SHAPES) {
  const { heads, vocabulary, mask } = shape;
  const columns = Math.ceil(vocabulary / 32) * 32;
  const rows = Math.ceil(heads / 8) * 8;
  // Padding must not matter, large values must not run over.
  const logits = noise(rows * columns, 1).map((each, i) => i % 7 === 0 ? each * 90 : each * 3);
  const tokens = Array.from(
    noise(heads, 2),
    (each, i) => (mask + 1 + Math.floor((each + 1) / 2 * (vocabulary - 1)) + 0 * i) % vocabulary,
  );
  const weights = noise(heads, 3).map((each) => (each + 1.1) / heads);

  for (const laneSums of ["subgroup", "barriers"] as const) {
    gpuTest(
      `crossEntropy() matches the reference for ${heads} x ${vocabulary} by ${laneSums}`,
      async (gpu) => {
        if (laneSums === "subgroup" && gpu.deviceClass !== "cpu with subgroups") return;
        const actual = await run(gpu, { logits, laneSums });
        const own = Float64Array.from(
          { length: heads * vocabulary },
          (_, i) => logits[Math.floor(i / vocabulary) * columns + i % vocabulary]!,
        );
        const expected = reference(own, { tokens, weights, mask });
        assertClose([sum(actual.losses)], [expected.loss], {}, "loss");
        const wide = Float64Array.from({ length: rows * columns }, (_, i) => {
          const [row, column] = [Math.floor(i / columns), i % columns];
          return row < heads && column < vocabulary
            ? expected.logits[row * vocabulary + column]!
            : 0;
        });
        assertClose(actual.logits, wide, {}, "logits");
      },
    );
  }

  gpuTest(`crossEntropy() gives the slope for ${heads} x ${vocabulary}`, async (gpu) => {
    const calm = logits.map((each) => each / 30);
    const direction = noise(logits.length, 4);
    const at = async (step: number) => {
      const moved = calm.map((each, i) => each + step * direction[i]!);
      return sum((await run(gpu, { logits: moved })).losses);
    };
    const measured = (await at(0.05) - await at(-0.05)) / 0.1;
    const { logits: gradient } = await run(gpu, { logits: calm });
    const given = sum(gradient.map((each, i) => each * direction[i]!));
    assert(Math.abs(measured - given) < 2e-3, `slope is ${given}, expected ${measured}`);
  });

  const run = async (
    gpu: Gpu,
    { logits, laneSums }: { logits: Float32Array; laneSums?: LaneSums },
  ) => {
    using tensor = upload(gpu, [rows, columns], logits);
    using tensorTokens = uploadWords(gpu, [7, ...tokens]);
    using tensorWeights = upload(gpu, [heads + 1], [9, ...weights]);
    using losses = gpu.tensor("losses", [heads + 3]);
    const pass = gpu.pass();
    crossEntropy(pass, {
      ...{ logits: tensor, tokens: tensorTokens, weights: tensorWeights, losses, vocabulary, mask },
      ...{ heads: heads + 1, first: 1, rows, lossFirst: 3 },
    }, laneSums);
    pass.submit();
    const all = await readFloats(gpu, losses);
    assertEquals([...all.subarray(0, 3)], [0, 0, 0]);
    return { losses: all.subarray(3, heads + 3), logits: await readFloats(gpu, tensor) };
  };
}

gpuTest("crossEntropy() lets a NaN among the logits show in the loss", async (gpu) => {
  for (const bad of [NaN, Infinity]) {
    using logits = upload(gpu, [1, 64], noise(64, 1).map((each, i) => i === 17 ? bad : each));
    using tokens = uploadWords(gpu, [3]);
    using weights = upload(gpu, [1], [1]);
    using losses = gpu.tensor("losses", [1]);
    const pass = gpu.pass();
    crossEntropy(pass, {
      ...{ logits, tokens, weights, losses, vocabulary: 61, mask: 60 },
      ...{ heads: 1, first: 0, rows: 1, lossFirst: 0 },
    });
    pass.submit();
    assert(!Number.isFinite((await readFloats(gpu, losses))[0]!));
  }
});

gpuTest("fillZero() clears all of a tensor", async (gpu) => {
  for (const length of [4, 256, 1_100_000]) {
    using y = upload(gpu, [length], new Float32Array(length).fill(3));
    const pass = gpu.pass();
    fillZero(pass, y);
    pass.submit();
    assert((await readFloats(gpu, y)).every((each) => each === 0));
  }
});

function sum(values: Iterable<number>): number {
  return [...values].reduce((total, each) => total + each, 0);
}
