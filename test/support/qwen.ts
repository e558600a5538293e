import { type CacheFormat, embed } from "../../kernels/mod.ts";
import type { Gpu, Tensor } from "../../src/gpu/mod.ts";
import { readFamilyConfig } from "../../src/model/family.ts";
import type { QwenDecoder } from "../../src/model/qwen_decoder.ts";
import { loadQwen } from "../../src/model/qwen_load.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import type { WeightFormat } from "../../src/weights/formats.ts";
import type { ForwardHarness, HarnessInputs, Rows } from "./forward.ts";

/**
 * Loads a decoder from a directory; keys and values are kept whole unless told otherwise, and blocks are
 * as long as the directory says.
 */
export function loadQwenNetwork(
  gpu: Gpu,
  directory: string,
  { format = "f32", cacheFormat = "f32", blockSize }: {
    format?: WeightFormat;
    cacheFormat?: CacheFormat;
    blockSize?: number;
  } = {},
): QwenDecoder {
  using checkpoint = Checkpoint.open(directory);
  const config = readFamilyConfig(checkpoint);
  if (config.modelType === "bd3lm") throw new TypeError(`"${directory}" is no decoder`);
  const { blockSize: own } = config;
  return loadQwen(gpu, checkpoint, {
    config: { ...config, blockSize: blockSize ?? own },
    format,
    cacheFormat,
  });
}

/** Where a pass stands between two layers. */
export interface DecoderState {
  /** The layer that comes next; the number of layers behind the last one. */
  readonly index: number;
  /** [rows, width] f32 hidden states, padding included. */
  readonly x: Tensor;
  readonly inputs: HarnessInputs;
}

/**
 * Runs the layers of a pass one at a time and stops before each and after the last. What a step reads
 * of `x` it reads before it asks for the next.
 */
export async function* decoderLayers(
  gpu: Gpu,
  harness: ForwardHarness<QwenDecoder>,
  groups: readonly Rows[],
): AsyncGenerator<DecoderState> {
  const { network } = harness;
  const inputs = harness.inputs(groups);
  const first = gpu.pass();
  using x = embed(first, { ...inputs, embedding: network.weights.embedding });
  first.submit();
  for (let index = 0; index <= network.config.layers; index++) {
    yield { index, x, inputs };
    if (index === network.config.layers) return;
    const pass = gpu.pass();
    network.layer(pass, index, { ...inputs, x });
    pass.submit();
  }
}
