import { SHIPPED_MODEL } from "../../src/commands/config.ts";
import { Gpu } from "../../src/gpu/mod.ts";
import type { Bd3lmConfig } from "../../src/model/bd3lm_config.ts";
import { OPTIMIZER } from "../../src/training/optimizer.ts";
import { Trainer } from "../../src/training/trainer.ts";
import { twoStream } from "../reference/masks.ts";
import { noisyBatch } from "../support/noisy_batch.ts";
import { openTraining } from "../support/training.ts";
import { median } from "./cpu.ts";
import type { Figures } from "./figures.ts";
import { deviceUnit, interleave, type Job, PassJobs, ratio } from "./measure.ts";
import { findPython, runPeer } from "./peer_programs.ts";
import { Probes } from "./probes.ts";

// As in peers/train_step.py.
const SEQUENCES = 2;
const BLOCK_SIZE = 8;

/** A line that `peers/train_step.py` prints. */
interface PeerStep {
  readonly ms: number;
}

/**
 * A step of training of the shipped model's shape, against the peak of the device, against passes
 * of x_t alone, and beside PyTorch's on the CPU.
 *
 * @throws {Error} If no Python has PyTorch.
 */
export async function benchTraining(): Promise<Figures> {
  const python = await findPython();
  using gpu = await Gpu.open();
  return { ...await benchStep(gpu, python), ...await benchStreams(gpu) };
}

async function benchStep(gpu: Gpu, python: string): Promise<Figures> {
  using passes = await PassJobs.open(gpu);
  using probes = new Probes(gpu);
  using training = openTraining(gpu, SHIPPED_MODEL.directory, { sequences: SEQUENCES });
  const { config, parameters } = training;
  const batch = batchOf(config, SEQUENCES);
  using trainer = await Trainer.open(gpu, {
    ...{ config, parameters, optimizer: OPTIMIZER, batch: SEQUENCES, microBatch: SEQUENCES },
    ...{ dropout: 0.1, seed: 1 },
  });
  const [before] = await runPeer(python, ["train_step.py"]) as PeerStep[];
  const seconds = await interleave(gpu, {
    peak: passes.job((pass) => probes.peak(pass)),
    step: async (times) => {
      for (let i = 0; i < times; i++) await trainer.step(batch, { blockSize: BLOCK_SIZE, rate: 0 });
    },
  });
  const [after] = await runPeer(python, ["train_step.py"]) as PeerStep[];
  const heads = batch.flatMap(({ weights }) => weights).filter((weight) => weight > 0).length;
  const flops = stepFlops(config, heads);
  const peerMs = (before!.ms + after!.ms) / 2; // It prints one line.
  const ms = 1000 * median(seconds.step);
  const name = `training step ${config.layers}x${config.hiddenSize} V=${config.vocabSize}, ` +
    `${SEQUENCES} x ${config.modelLength} tokens`;
  const unit = deviceUnit(gpu, "ms");
  return {
    [name]: { value: ms, unit },
    [`${name}: speed`]: {
      value: 1000 * SEQUENCES * config.modelLength / ms,
      unit: deviceUnit(gpu, "tokens/s"),
    },
    [`${name} / multiply-add peak`]: {
      value: 100 * ratio(seconds.peak, seconds.step) * flops / probes.peakFlops,
      unit: "%",
      goal: { atLeast: 15 },
    },
    [`PyTorch f32 ${name}`]: { value: peerMs, unit },
    [`our / PyTorch f32 ${name}`]: { value: ms / peerMs, unit: "times" },
  };
}

/** What x_0 costs beside x_t. Longer texts gain more: of attention, x_0 takes what x_t leaves. */
async function benchStreams(gpu: Gpu): Promise<Figures> {
  const figures: Figures = {};
  for (const [modelLength, sequences] of [[256, 2], [1024, 1]] as const) {
    using training = openTraining(gpu, SHIPPED_MODEL.directory, { sequences, modelLength });
    using losses = gpu.tensor("losses", [sequences * modelLength]);
    using passes = await PassJobs.open(gpu);
    const batch = batchOf(training.config, sequences);
    const job = (blockSize: number): Job => {
      const once = passes.job((pass) => {
        const uploaded = training.upload(batch, blockSize);
        training.network.addGradients(pass, uploaded, { losses, lossFirst: 0, dropout: null });
      });
      // The tables of a batch hold one at a time.
      return async (times) => {
        for (let i = 0; i < times; i++) await once(1);
      };
    };
    const seconds = await interleave(gpu, {
      both: job(BLOCK_SIZE),
      // Blocks as long as the text see no x_0: a plain pass of as many tokens, forward and back.
      plain: job(modelLength),
    });
    const times = ratio(seconds.both, seconds.plain);
    const name = `gradients of x_t and x_0, ${sequences} x ${modelLength} tokens`;
    figures[name] = { value: 1000 * median(seconds.both), unit: deviceUnit(gpu, "ms") };
    figures[`${name} / plain passes`] = { value: times, unit: "times", goal: { atMost: 2 } };
    figures[`${name} / two plain passes each`] = {
      ...{ value: times / 2, unit: "times" },
      ...(modelLength === 1024 && { goal: { atMost: 0.8 } }),
    };
  }
  return figures;
}

function batchOf({ vocabSize, modelLength }: Bd3lmConfig, sequences: number) {
  const shape = { vocab_size: vocabSize, model_length: modelLength, block_size: BLOCK_SIZE };
  return noisyBatch(shape, { sequences, seed: 1 });
}

/** Floating-point operations that a step cannot do without: products, forward and back. */
function stepFlops(
  { layers, hiddenSize: width, modelLength: length, vocabSize }: Bd3lmConfig,
  heads: number,
): number {
  const rows = SEQUENCES * length;
  const pairs = (queries: number) => {
    let count = 0;
    for (let query = 0; query < queries; query++) {
      for (let key = 0; key < 2 * length; key++) {
        if (twoStream(query, key, { length, blockSize: BLOCK_SIZE })) count++;
      }
    }
    return SEQUENCES * count;
  };
  // q, k and v of all rows; the rest of the last block, and its queries, of the noisy half alone.
  const projections = 12 * width ** 2 * 2 * rows * layers - 9 * width ** 2 * rows;
  const attention = width * (pairs(2 * length) * (layers - 1) + pairs(length));
  // Two products of attention forward and four back, of others one and two.
  return 2 * (3 * projections + 3 * heads * vocabSize * width + 6 * attention);
}
