import { rotaryAngles, rotate } from "../../../kernels/training/rotary.ts";
import type { Gpu } from "../../../src/gpu/mod.ts";
import { applyRotary, rotaryTables } from "../../reference/forward.ts";
import { applyRotaryBackward } from "../../reference/backward.ts";
import { assertClose, gpuTest, noise, readFloats, upload } from "../../support/gpu.ts";
import { assertSlope } from "./slopes.ts";

const BASE = 10_000;

for (
  const [rows, length, heads, headSize] of [[8, 8, 1, 8], [48, 24, 3, 16], [16, 16, 4, 64]] as const
) {
  const width = heads * headSize;
  const qkv = noise(rows * 3 * width, 1);
  const positions = Array.from({ length: rows }, (_, row) => row % length);
  const tables = { ...rotaryTables(positions, { headSize, base: BASE }), headSize };
  const name = `${rows} rows at ${length} positions, ${heads} heads of ${headSize}`;

  for (const direction of ["forward", "backward"] as const) {
    gpuTest(`rotate() ${direction} matches the reference for ${name}`, async (gpu) => {
      const turn = direction === "forward" ? applyRotary : applyRotaryBackward;
      const actual = await run(gpu, direction, qkv);
      for (const part of [0, 1]) {
        assertClose(third(actual, part), turn(third(qkv, part), tables), {}, `part ${part}`);
      }
      assertClose(third(actual, 2), third(qkv, 2), { tolerance: 0 }, "v");
    });
  }

  gpuTest(`rotate() backward is the slope for ${name}`, async (gpu) => {
    const dy = noise(qkv.length, 2);
    const gradient = await run(gpu, "backward", dy);
    const forward = (x: Float32Array) => run(gpu, "forward", x);
    await assertSlope({ x: qkv, dy, gradient, forward }, "qkv");
  });

  const run = async (gpu: Gpu, direction: "forward" | "backward", values: Float32Array) => {
    using tensor = upload(gpu, [rows, 3 * width], values);
    using angles = rotaryAngles(gpu, { length, headSize, base: BASE });
    const pass = gpu.pass();
    rotate(pass, { qkv: tensor, angles, heads, direction });
    pass.submit();
    return await readFloats(gpu, tensor);
  };

  const third = (values: Float32Array, part: number) =>
    values.filter((_, i) => Math.floor(i % (3 * width) / width) === part);
}
