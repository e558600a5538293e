import { assertEquals } from "@std/assert";
import {
  type AdamStep,
  adamw,
  judgeStep,
  type Moments,
  squareSumCount,
  squareSums,
} from "../../../kernels/training/optimizer.ts";
import type { Gpu } from "../../../src/gpu/mod.ts";
import { adamState, adamwStep, clipScale } from "../../reference/adamw.ts";
import { assertClose, gpuTest, noise, readFloats, upload } from "../../support/gpu.ts";

const STEP: AdamStep = {
  ...{ rate: 1e-2, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, decay: 0.1, update: 1, average: 0.7 },
};

for (const length of [4, 260, 40_000]) {
  gpuTest(`adamw() matches the reference over three steps for ${length} weights`, async (gpu) => {
    const weight = noise(length, 1);
    using moments = momentsOf(gpu, weight);
    const expected = adamState(weight);
    for (let update = 1; update <= 3; update++) {
      const gradient = noise(length, 10 + update);
      gpu.write(moments.gradient, gradient);
      const verdict = await step(gpu, moments, { update, losses: [1.5, 0.25], clip: 2 });
      const norm = Math.sqrt(gradient.reduce((sum, each) => sum + each ** 2, 0));
      const scale = clipScale([gradient], 2);
      assertClose(verdict, [1.75, norm, scale, 1], {}, "verdict");
      adamwStep(expected, gradient.map((each) => each * scale), { ...STEP, update });
    }
    assertClose(await readFloats(gpu, moments.weight), expected.weight, {}, "weight");
    assertClose(await readFloats(gpu, moments.firstMoment), expected.m, {}, "m");
    assertClose(await readFloats(gpu, moments.secondMoment), expected.v, {}, "v");
    assertClose(await readFloats(gpu, moments.averaged), expected.average, {}, "average");
    assertClose(await readFloats(gpu, moments.gradient), new Float32Array(length), {}, "gradient");
  });
}

for (
  const [what, loss, bad] of [["loss", NaN, 1], ["loss", Infinity, 1], [
    "gradient",
    1,
    NaN,
  ]] as const
) {
  gpuTest(
    `adamw() changes nothing where the ${what} is ${what === "loss" ? loss : bad}`,
    async (gpu) => {
      const weight = noise(64, 1);
      using moments = momentsOf(gpu, weight);
      gpu.write(moments.gradient, noise(64, 2).map((each, i) => i === 9 ? bad : each));
      const verdict = await step(gpu, moments, { update: 1, losses: [loss], clip: 1 });
      assertEquals(verdict[3], 0);
      assertEquals(await readFloats(gpu, moments.weight), weight);
      assertEquals(await readFloats(gpu, moments.averaged), weight);
      for (const each of [moments.firstMoment, moments.secondMoment, moments.gradient]) {
        assertEquals(await readFloats(gpu, each), new Float32Array(64));
      }
    },
  );
}

async function step(
  gpu: Gpu,
  moments: Moments,
  { update, losses, clip }: { update: number; losses: number[]; clip: number },
): Promise<Float32Array> {
  using sums = gpu.tensor("sums", [squareSumCount(moments.gradient)]);
  using verdict = gpu.tensor("verdict", [4]);
  using tensor = upload(gpu, [losses.length], losses);
  const pass = gpu.pass();
  squareSums(pass, { x: moments.gradient, sums, first: 0 });
  judgeStep(pass, { losses: tensor, lossCount: losses.length, sums, clip, verdict });
  adamw(pass, moments, { verdict, step: { ...STEP, update } });
  pass.submit();
  return await readFloats(gpu, verdict);
}

function momentsOf(gpu: Gpu, weight: Float32Array): Moments & Disposable {
  const shape = [weight.length];
  const zeros = () => upload(gpu, shape, new Float32Array(weight.length));
  const copy = () => upload(gpu, shape, weight);
  const moments = {
    ...{ weight: copy(), averaged: copy() },
    ...{ gradient: zeros(), firstMoment: zeros(), secondMoment: zeros() },
  };
  return {
    ...moments,
    [Symbol.dispose]: () => Object.values(moments).forEach((each) => each[Symbol.dispose]()),
  };
}
