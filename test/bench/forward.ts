import { SHIPPED_MODEL } from "../../src/commands/config.ts";
import { type Gpu, Readback } from "../../src/gpu/mod.ts";
import type { WeightFormat } from "../../src/weights/formats.ts";
import { ForwardHarness, loadNetwork } from "../support/forward.ts";
import { median } from "./cpu.ts";
import { interleave, type Job } from "./measure.ts";
import { promptOf } from "./step_bench.ts";

/** Those of `peers/onnxruntime.ts`. */
const TOKENS = [16, 64, 256];

/** How long a forward takes. */
export interface ForwardTime {
  readonly name: string;
  readonly tokens: number;
  readonly ms: number;
}

/** Times forwards of the shipped model: all tokens see each other, and the logits are read. */
export async function timeForwards(gpu: Gpu, format: WeightFormat): Promise<ForwardTime[]> {
  using network = loadNetwork(gpu, SHIPPED_MODEL.directory, { format });
  const { layers, hiddenSize, vocabSize, modelLength } = network.config;
  using harness = new ForwardHarness(gpu, network, { positions: modelLength });
  using readback = await Readback.open(gpu, 4 * Math.max(...TOKENS) * vocabSize);
  const jobs: Record<string, Job> = Object.fromEntries(
    TOKENS.map((tokens) => [tokens, forwardJob(gpu, harness, tokens, readback)]),
  );
  const seconds = await interleave(gpu, jobs);
  return TOKENS.map((tokens) => ({
    name: `our ${format} forward ${layers}x${hiddenSize} V=${vocabSize}, ${tokens} tokens`,
    tokens,
    ms: 1000 * median(seconds[tokens]!), // One of the jobs.
  }));
}

function forwardJob(gpu: Gpu, harness: ForwardHarness, count: number, readback: Readback): Job {
  const { network } = harness;
  const rows = {
    tokens: promptOf(count),
    position: 0,
    blockSize: count,
    window: network.config.modelLength,
  };
  return async (times) => {
    for (let i = 0; i < times; i++) {
      const inputs = harness.inputs([rows]);
      const pass = gpu.pass();
      using normalized = network.forward(pass, inputs)!; // There are heads.
      const part = { counts: inputs.counts, skip: 0, rows: count };
      using logits = network.logits(pass, normalized, part);
      pass.submit([{ from: logits, to: readback.buffer, bytes: logits.sizeBytes }]);
      await readback.read(logits.sizeBytes);
    }
  };
}
