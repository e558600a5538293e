import type { Gpu } from "../../src/gpu/mod.ts";
import { readBd3lmConfig } from "../../src/model/bd3lm_config.ts";
import type { Bd3lmConfig } from "../../src/model/bd3lm_config.ts";
import { type Batch, BatchTables } from "../../src/training/batch.ts";
import { TrainingNetwork } from "../../src/training/network.ts";
import type { NoisySequence } from "../../src/training/noisy_sequence.ts";
import { Parameters } from "../../src/training/parameters.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";

/** A network in training with what its passes need. */
export interface OpenedTraining extends Disposable {
  readonly config: Bd3lmConfig;
  readonly parameters: Parameters;
  readonly network: TrainingNetwork;
  upload(sequences: readonly NoisySequence[], blockSize?: number): Batch;
}

/**
 * Opens the checkpoint of a directory for training, with passes of so many sequences at most;
 * longer or shorter ones than its own where `modelLength` is given.
 */
export function openTraining(
  gpu: Gpu,
  directory: string,
  { sequences, modelLength }: { sequences: number; modelLength?: number },
): OpenedTraining {
  using checkpoint = Checkpoint.open(directory);
  const own = readBd3lmConfig(checkpoint);
  const config = { ...own, modelLength: modelLength ?? own.modelLength };
  const parameters = new Parameters(gpu, config);
  for (const parameter of parameters.all) {
    const values = checkpoint.readRows(parameter.name, 0, parameter.shape[0]!);
    parameters.write(parameter, "weight", values);
    parameters.write(parameter, "averaged", values);
  }
  const network = new TrainingNetwork(gpu, config, { parameters, sequences });
  const { modelLength: length, vocabSize: vocabulary } = config;
  const tables = new BatchTables(gpu, { sequences, length, vocabulary });
  return {
    ...{ config, parameters, network },
    upload: (batch, blockSize = config.blockSize) => tables.upload(batch, blockSize),
    [Symbol.dispose]: () => [network, parameters, tables].forEach((each) => each[Symbol.dispose]()),
  };
}

/** Runs one pass forward and back: the loss, and the gradients by name. */
export async function runGradients(
  gpu: Gpu,
  training: OpenedTraining,
  batch: Batch,
): Promise<{ loss: number; gradients: Map<string, Float32Array> }> {
  using losses = gpu.tensor("losses", [Math.max(1, batch.heads)]);
  const pass = gpu.pass();
  training.network.addGradients(pass, batch, { losses, lossFirst: 0, dropout: null });
  pass.submit();
  const gradients = new Map<string, Float32Array>();
  for (const parameter of training.parameters.all) {
    gradients.set(parameter.name, await training.parameters.read(parameter, "gradient"));
  }
  const all = new Float32Array(await gpu.read(losses)).subarray(0, batch.heads);
  return { loss: all.reduce((sum, each) => sum + each, 0), gradients };
}
