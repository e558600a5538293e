import { assert, assertEquals } from "@std/assert";
import {
  type Dropout,
  gatedResidual,
  gatedResidualBackward,
  gateGradient,
} from "../../../kernels/training/mod.ts";
import type { Gpu } from "../../../src/gpu/mod.ts";
import { addGatedBackward } from "../../reference/backward.ts";
import { addGated } from "../../reference/forward.ts";
import { assertClose, gpuTest, noise, readFloats, upload, uploadWords } from "../../support/gpu.ts";
import { assertSlope } from "./slopes.ts";

const [SEQUENCES, LENGTH, WIDTH] = [2, 8, 96];
const ROWS = 2 * SEQUENCES * LENGTH;
/** The gate is the second vector of a modulation of three. */
const GATE = WIDTH;
const DROPOUT: Dropout = { rate: 0.25, seed: 2 ** 40 + 5, step: 3, site: 1 };

const x = noise(ROWS * WIDTH, 1);
const update = noise(ROWS * WIDTH, 2);
const dy = noise(ROWS * WIDTH, 3);
const modulation = noise(SEQUENCES * 3 * WIDTH, 4);

for (const isShared of [true, false]) {
  const name = isShared ? "one gate" : "a gate for every sequence";
  gpuTest(`gatedResidual() and its way back match the reference with ${name}`, async (gpu) => {
    const actual = await run(gpu, { isShared, dropout: null });
    const gates = new Float64Array(isShared ? 3 * WIDTH : 3 * SEQUENCES * WIDTH);
    for (let row = 0; row < ROWS; row++) {
      const own = (isShared ? 0 : Math.floor(row / LENGTH) % SEQUENCES) * 3 * WIDTH + GATE;
      const gate = modulation.subarray(own, own + WIDTH);
      const part = (values: ArrayLike<number>) =>
        Float64Array.from({ length: WIDTH }, (_, c) => values[row * WIDTH + c]!);
      assertClose(part(actual.y), addGated(part(x), part(update), gate), {}, "y");
      const back = addGatedBackward(part(dy), part(update), gate);
      assertClose(part(actual.dUpdate), back.update, {}, "update");
      back.gate.forEach((each, c) => gates[own + c]! += each);
    }
    assertClose(actual.dModulation, gates, {}, "gates");
  });
}

gpuTest("gatedResidual() drops its share, and its way back drops the same", async (gpu) => {
  const { y, dUpdate, dModulation } = await run(gpu, { isShared: true, dropout: DROPOUT });
  const gate = modulation.subarray(GATE, 2 * GATE);
  const isKept = y.map((each, i) => each === x[i] ? 0 : 1);
  const kept = isKept.reduce((sum, each) => sum + each, 0) / isKept.length;
  // Of 3072 values: five standard deviations.
  assert(Math.abs(kept - 0.75) < 0.04, `kept ${kept}`);
  const scaled = update.map((each, i) => each * isKept[i]! / 0.75);
  assertClose(y, addGated(x, scaled, gate), {}, "y");
  const back = addGatedBackward(dy, scaled, gate);
  assertClose(dUpdate, back.update.map((each, i) => each * isKept[i]! / 0.75), {}, "update");
  assertClose(dModulation.subarray(GATE, 2 * GATE), back.gate, {}, "gate");
});

gpuTest("gatedResidual() drops others at another step, site or seed", async (gpu) => {
  const first = await run(gpu, { isShared: true, dropout: DROPOUT });
  for (const change of [{ step: 4 }, { site: 2 }, { seed: 5 }]) {
    const other = await run(gpu, { isShared: true, dropout: { ...DROPOUT, ...change } });
    assert(other.y.some((each, i) => each !== first.y[i]));
  }
  const again = await run(gpu, { isShared: true, dropout: DROPOUT });
  assertEquals(again.y, first.y);
});

gpuTest("gatedResidualBackward() is the slope", async (gpu) => {
  const how = { isShared: false, dropout: DROPOUT };
  const { dUpdate } = await run(gpu, how);
  const forward = async (update: Float32Array) => (await run(gpu, how, update)).y;
  await assertSlope({ x: update, dy, gradient: dUpdate, forward }, "update");
});

async function run(
  gpu: Gpu,
  { isShared, dropout }: { isShared: boolean; dropout: Dropout | null },
  values: Float32Array = update,
) {
  using tensorX = upload(gpu, [ROWS, WIDTH], x);
  using tensorUpdate = upload(gpu, [ROWS, WIDTH], values);
  using tensorDy = upload(gpu, [ROWS, WIDTH], dy);
  using tensorModulation = upload(gpu, [SEQUENCES, 3 * WIDTH], modulation);
  using dModulation = gpu.tensor("dmod", [isShared ? 1 : SEQUENCES, 3 * WIDTH]);
  using starts = uploadWords(gpu, Array.from({ length: ROWS / LENGTH + 1 }, (_, i) => i * LENGTH));
  const conditions = {
    ...{ modulation: tensorModulation, isShared, sequences: SEQUENCES, length: LENGTH },
  };
  const gating = { conditions, gate: GATE, dropout };
  const pass = gpu.pass();
  using y = gatedResidual(pass, { x: tensorX, update: tensorUpdate, ...gating });
  using dUpdate = gatedResidualBackward(pass, { dy: tensorDy, rows: ROWS, ...gating });
  gateGradient(pass, {
    ...{ dy: tensorDy, update: tensorUpdate, rows: ROWS, dModulation, ...gating },
    segments: { starts, segments: starts.length - 1 },
  });
  pass.submit();
  return {
    y: await readFloats(gpu, y),
    dUpdate: await readFloats(gpu, dUpdate),
    dModulation: await readFloats(gpu, dModulation),
  };
}
