import type { Gpu } from "../src/gpu/mod.ts";
import { uploadLinear } from "../src/weights/formats.ts";
import { linearBy } from "./linear.ts";
import { keepCosts, type LinearVariant, variantsOf } from "./linear_variants.ts";

/** The shape that costs are measured for, in f16. */
const INPUTS = 768;
const OUTPUTS = 2304;
/** Measured submissions of a variant, of which the quickest counts, and tiles of a short one. */
const ROUNDS = 3;
const TILES = 24;
/** How much longer a submission with three times the tiles takes at least, where times mean much. */
const CLEAR = 1.2;

/**
 * Measures what a tile of every linear variant takes on this device. From then on choices go by it,
 * unless the clock is too coarse or the device too quick to tell; they change no result.
 *
 * @param now A clock in milliseconds.
 * @param options `onProgress` is told how many submissions of how many have ended.
 * @returns Milliseconds by the rows of a tile; `null` where nothing is clear.
 * @throws {GpuError} If the device fails.
 */
export async function tuneLinear(
  gpu: Gpu,
  now: () => number,
  { onProgress }: { readonly onProgress?: (done: number, total: number) => void } = {},
): Promise<ReadonlyMap<number, number> | null> {
  const rows = (_: number, count: number) => new Float32Array(count * INPUTS);
  const source = { outputs: OUTPUTS, inputs: INPUTS, rows };
  using weight = uploadLinear(gpu, source, { name: "tuning", format: "f16" });
  const costs = new Map<number, number>();
  const variants = variantsOf(gpu.deviceClass);
  let done = 0;
  for (const variant of variants) {
    using x = gpu.tensor("tuning", [variant.rows, INPUTS]);
    const data = Uint32Array.of(variant.rows, 0);
    using counts = gpu.tensor("tuning", [2], { dtype: "u32", data });
    const measure = async (tiles: number) => {
      const begin = now();
      await run(gpu, { variant, tiles, operands: { x, weight, counts } });
      const milliseconds = now() - begin;
      onProgress?.(done += 1, variants.length * (1 + 2 * ROUNDS));
      return milliseconds;
    };
    // The first one compiles.
    await measure(1);
    let [short, long] = [Infinity, Infinity];
    for (let round = 0; round < ROUNDS; round++) {
      short = Math.min(short, await measure(TILES));
      long = Math.min(long, await measure(3 * TILES));
    }
    if (!(long > CLEAR * short)) return null;
    // The difference leaves out what a submission and its end take.
    costs.set(variant.rows, (long - short) / (2 * TILES));
  }
  keepCosts(gpu.device, costs);
  return costs;
}

async function run(
  gpu: Gpu,
  { variant, tiles, operands }: {
    readonly variant: LinearVariant;
    readonly tiles: number;
    readonly operands: Parameters<typeof linearBy>[1];
  },
): Promise<void> {
  const pass = gpu.pass();
  for (let i = 0; i < tiles; i++) {
    using _ = linearBy(pass, operands, variant);
  }
  pass.submit();
  await gpu.device.queue.onSubmittedWorkDone();
  gpu.check();
}
