import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { type Gpu, Tensor } from "../../src/gpu/mod.ts";
import type { QwenDecoder } from "../../src/model/qwen_decoder.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { WEIGHT_FORMATS } from "../../src/weights/formats.ts";
import { disguise } from "../kernels/tables.ts";
import { encode, type TestFloatType, writeSafetensors } from "../support/checkpoints.ts";
import { ForwardHarness } from "../support/forward.ts";
import { gpuTest } from "../support/gpu.ts";
import { loadQwenNetwork } from "../support/qwen.ts";
import { type TinyQwenOptions, writeTinyQwen } from "../support/qwen_checkpoints.ts";
import { withTempDir } from "../support/temp_dir.ts";

/** Wide enough for rows without padding, and for matrices of several tiles. */
const CONFIG = {
  vocab_size: 300,
  hidden_size: 64,
  intermediate_size: 160,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 32,
};
/** The families, with an output layer of its own and with the embedding for one. */
const DECODERS: Readonly<Record<string, TinyQwenOptions>> = {
  "sdar": { config: CONFIG },
  "sdar with a tied head": { config: { ...CONFIG, tie_word_embeddings: true } },
  "fast_dllm": {
    config: { ...CONFIG, model_type: "Fast_dLLM_Qwen", bd_size: 4 },
    ...{ hasQkNorm: false, hasBias: true },
  },
  "fast_dllm with a tied head": {
    config: { ...CONFIG, model_type: "Fast_dLLM_Qwen", bd_size: 4, tie_word_embeddings: true },
    ...{ hasQkNorm: false, hasBias: true },
  },
};

/** All tensors of a network's weights, in an order of their own. */
function tensorsOf(value: unknown): Tensor[] {
  if (value instanceof Tensor) return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(tensorsOf);
}

async function bitsOf(gpu: Gpu, { weights }: QwenDecoder): Promise<Uint8Array[]> {
  const tensors = tensorsOf(weights);
  const all: Uint8Array[] = [];
  for (const tensor of tensors) all.push(new Uint8Array(await gpu.read(tensor)));
  return all;
}

/** Rewrites the tensors of a checkpoint in another type. */
function convert(directory: string, dtype: TestFloatType): void {
  using checkpoint = Checkpoint.open(directory);
  const tensors = [...checkpoint.tensors.values()].map(({ name, shape }) => {
    const data = encode(checkpoint.readRows(name, 0, shape[0]!), dtype);
    return [name, { dtype, shape, data }] as const;
  });
  writeSafetensors(join(directory, "model.safetensors"), Object.fromEntries(tensors));
}

for (const format of WEIGHT_FORMATS) {
  gpuTest(`BF16 goes to the device in ${format} as F32 of the same values does`, async (gpu) => {
    for (const options of Object.values(DECODERS)) {
      const [short, long] = withTempDir((directory) => {
        writeTinyQwen(directory, { ...options, dtype: "BF16" });
        const short = loadQwenNetwork(gpu, directory, { format });
        convert(directory, "F32");
        return [short, loadQwenNetwork(gpu, directory, { format })] as const;
      });
      using _ = short;
      using __ = long;
      assertEquals(await bitsOf(gpu, short), await bitsOf(gpu, long));
    }
  });
}

/** Logits of three blocks. */
async function logitsOf(gpu: Gpu, network: QwenDecoder): Promise<Float32Array> {
  const { blockSize, modelLength: window } = network.config;
  using harness = new ForwardHarness(gpu, network, { positions: 3 * blockSize });
  const tokens = Array.from({ length: 3 * blockSize }, (_, i) => (37 * i + 5) % 97);
  return await harness.logits([{ tokens, position: 0, blockSize, window }]);
}

for (const format of WEIGHT_FORMATS) {
  for (const [name, options] of Object.entries(DECODERS)) {
    gpuTest(`${name} in ${format} gives the same bits in parts that fit a binding`, async (gpu) => {
      // A tile of the widest matrix, 160 inputs, fills a binding, or one of an embedding in halves.
      const tile = 32 * 160 * { f32: 4, f16: 2, int8: 1, int4: 0.5 }[format];
      const maxStorageBufferBindingSize = Math.max(tile, 32 * 64 * 2);
      const small = disguise(gpu, { maxStorageBufferBindingSize });
      const [whole, split] = withTempDir((directory) => {
        writeTinyQwen(directory, { ...options, dtype: "BF16" });
        return [gpu, small].map((each) => loadQwenNetwork(each, directory, { format }));
      }) as [QwenDecoder, QwenDecoder];
      using _ = whole;
      using __ = split;
      const { embedding, output, layers: [layer] } = split.weights;
      for (const each of [embedding, output, layer!.qkv, layer!.gateUp, layer!.down]) {
        assert(each.parts.length > 1, `${each.parts.length} parts`);
      }
      assertEquals(await logitsOf(gpu, split), await logitsOf(gpu, whole));
    });
  }
}
