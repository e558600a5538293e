/**
 * Prints, as JSON, the bytes by which the memory of this process grows over many submissions: the
 * smallest pass that there is, some rows of a prompt through a tiny model, read one by one.
 */
import { Gpu } from "../../src/gpu/mod.ts";
import { GpuDenoiser } from "../../src/model/mod.ts";
import { loadNetwork } from "../support/forward.ts";
import { blockOptions } from "./step_bench.ts";
import { withRandomModel } from "./random_model.ts";
import { TINY_CONFIG } from "../support/checkpoints.ts";

/** The process grows by some 50 MB before: JavaScript objects hold on to their native halves until
 * they are collected. */
const WARM_UP = 40_000;
const SUBMISSIONS = 40_000;

await withRandomModel({ ...TINY_CONFIG, n_blocks: 1 }, async (directory) => {
  using gpu = await Gpu.open();
  using network = loadNetwork(gpu, directory, { format: "f16" });
  using denoiser = await GpuDenoiser.open(gpu, network, { slots: 1 });
  const { blockSize } = network.config;
  denoiser.open(0, blockOptions({ blockSize }));
  const tokens = Array.from({ length: blockSize }, (_, i) => i);
  const pass = { lanes: [], prompts: [{ slot: 0, position: 0, tokens, blockSize }] };
  const run = async (submissions: number) => {
    for (let i = 0; i < submissions; i++) {
      const burst = denoiser.record([pass]);
      burst.submit();
      await burst.read();
    }
    return Deno.memoryUsage().rss;
  };
  const before = await run(WARM_UP);
  console.log(JSON.stringify(await run(SUBMISSIONS) - before));
});
Deno.exit(0);
