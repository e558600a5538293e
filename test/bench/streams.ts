import { SHIPPED_MODEL } from "../../src/commands/config.ts";
import { Gpu } from "../../src/gpu/mod.ts";
import { Bd3lm } from "../../src/model/bd3lm.ts";
import { DeviceEngine, requestOf } from "../support/device_engine.ts";
import type { TinyConfig } from "../support/checkpoints.ts";
import { median } from "./cpu.ts";
import type { Figures } from "./figures.ts";
import { deviceSeconds, deviceUnit, interleave, PassJobs } from "./measure.ts";
import { Probes } from "./probes.ts";
import { HUB_CONFIG, withRandomModel } from "./random_model.ts";

/** As wide and deep as published models of 1.5 billion parameters. */
const LARGE_CONFIG: TinyConfig = { ...HUB_CONFIG, hidden_dim: 2048, n_blocks: 28, n_heads: 16 };
/** Rows of a pass of one stream. */
const BLOCK_SIZE = 16;
const STREAMS = [1, 8, 64];
const TOKENS = 128;

/** Speed of some streams side by side. */
interface Speed {
  readonly tokensPerSecond: number;
  readonly passesPerSecond: number;
}

/**
 * Streams side by side of models of three sizes, and what one stream reads of the weights beside what
 * a copy moves. A software adapter gets the shipped model only: the others would take minutes.
 */
export async function benchStreams(): Promise<Figures> {
  using gpu = await Gpu.open();
  const copyRate = await measureCopy(gpu);
  const shipped = await benchModel(gpu, SHIPPED_MODEL.directory, { name: "shipped", copyRate });
  if (gpu.isCpu) return shipped;
  const random = (config: TinyConfig, name: string) =>
    withRandomModel(config, (directory) => benchModel(gpu, directory, { name, copyRate }));
  return {
    ...shipped,
    ...await random(HUB_CONFIG, "170M"),
    ...await random(LARGE_CONFIG, "1.6B"),
  };
}

/** Bytes a second that a copy reads and writes. */
async function measureCopy(gpu: Gpu): Promise<number> {
  using probes = new Probes(gpu);
  using passes = await PassJobs.open(gpu);
  const { copy } = await interleave(gpu, { copy: passes.job((pass) => probes.copy(pass)) });
  return probes.copyTraffic / median(copy);
}

async function benchModel(
  gpu: Gpu,
  directory: string,
  { name, copyRate }: { readonly name: string; readonly copyRate: number },
): Promise<Figures> {
  const before = gpu.bytes.weights;
  const slots = STREAMS.at(-1)!;
  await using engine = await DeviceEngine.open(gpu, directory, { slots, format: "f16" });
  if (!(engine.network instanceof Bd3lm)) throw new TypeError("Cannot measure: no BD3-LM");
  const { vocabSize, hiddenSize } = engine.network.config;
  // Of the embedding a pass reads a few rows.
  const weights = gpu.bytes.weights - before - 2 * vocabSize * hiddenSize;
  const speeds = new Map<number, Speed>();
  for (const streams of STREAMS) speeds.set(streams, await measure({ gpu, engine }, streams));
  const one = speeds.get(1)!; // One of STREAMS.
  const unit = deviceUnit(gpu, "tokens/s");
  const share = 100 * weights * one.passesPerSecond / copyRate;
  const goals = !gpu.isCpu && { share: { atLeast: 50 }, times: { atLeast: 20 } };
  return {
    ...Object.fromEntries([...speeds].map(([streams, { tokensPerSecond }]) => [
      `${name}, ${streams} streams`,
      { value: tokensPerSecond, unit },
    ])),
    [`${name}, weights read by 1 stream / copy`]: {
      ...{ value: share, unit: "%" },
      ...(goals && { goal: goals.share }),
    },
    [`${name}, ${slots} streams / 1 stream`]: {
      ...{ value: speeds.get(slots)!.tokensPerSecond / one.tokensPerSecond, unit: "times" },
      ...(goals && { goal: goals.times }),
    },
  };
}

async function measure(
  { gpu, engine }: { readonly gpu: Gpu; readonly engine: DeviceEngine },
  streams: number,
): Promise<Speed> {
  const run = async (maxTokens: number): Promise<Speed> => {
    const requests = Array.from(
      { length: streams },
      (_, seed) => requestOf([1, 2, 3, 4], { maxTokens, blockSize: BLOCK_SIZE, topP: 0.9, seed }),
    );
    const before = deviceSeconds(gpu);
    const outcomes = await engine.generate(requests);
    const seconds = deviceSeconds(gpu) - before;
    const tokens = outcomes.reduce((sum, each) => sum + each.tokens.length, 0);
    return { tokensPerSecond: tokens / seconds, passesPerSecond: tokens / streams / seconds };
  };
  await run(2 * BLOCK_SIZE); // Compiles, and lets the engine measure its passes.
  return await run(TOKENS);
}
