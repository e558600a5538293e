import { join } from "@std/path";
import {
  TINY_CONFIG,
  type TinyConfig,
  tinyShapes,
  writeJson,
  writeRawSafetensors,
} from "../support/checkpoints.ts";
import { noise } from "../support/noise.ts";

/** As the published checkpoints: 12 layers of width 768, GPT-2's vocabulary and a mask. */
export const HUB_CONFIG: TinyConfig = {
  ...TINY_CONFIG,
  block_size: 16,
  cond_dim: 128,
  hidden_dim: 768,
  model_length: 1024,
  n_blocks: 12,
  n_heads: 12,
  vocab_size: 50_258,
};

const ELEMENT_BYTES = Float16Array.BYTES_PER_ELEMENT;
const PATTERN_ELEMENTS = 1 << 20;
/** What uniform noise in ±1 is multiplied by for a standard deviation of 0.02. */
const SPREAD = 0.02 * Math.sqrt(3);

/**
 * Runs `use` with the directory of a checkpoint of random f16 weights, and removes it. Without a
 * tokenizer; the same noise over and over, which takes a large model seconds less to write.
 */
export async function withRandomModel<T>(
  config: TinyConfig,
  use: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = Deno.makeTempDirSync({ prefix: "blockdiffusion-bench-" });
  try {
    writeModel(directory, config);
    return await use(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

function writeModel(directory: string, config: TinyConfig): void {
  writeJson(join(directory, "config.json"), config);
  const weights = bytesOf(noise(PATTERN_ELEMENTS), (value) => SPREAD * value);
  // Around 1, so that activations neither fade nor grow.
  const gains = bytesOf(noise(config.hidden_dim), (value) => 1 + SPREAD * value);
  const header: Record<string, unknown> = {};
  const data: Uint8Array[] = [];
  let position = 0;
  for (const [name, shape] of Object.entries(tinyShapes(config))) {
    const size = shape.reduce((product, each) => product * each, ELEMENT_BYTES);
    header[name] = { dtype: "F16", shape, data_offsets: [position, position + size] };
    position += size;
    const pattern = /norm(1|2|_final)\.weight$/.test(name) ? gains : weights;
    for (let left = size; left > 0; left -= pattern.length) data.push(pattern.subarray(0, left));
  }
  writeRawSafetensors(join(directory, "model.safetensors"), JSON.stringify(header), data);
}

function bytesOf(values: Float32Array, scale: (value: number) => number): Uint8Array {
  return new Uint8Array(Float16Array.from(values, scale).buffer);
}
