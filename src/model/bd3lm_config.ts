import { z } from "zod";
import type { Checkpoint } from "../weights/checkpoint.ts";
import {
  count,
  invalidConfig,
  MAX_BLOCK_SIZE,
  MAX_HEAD_SIZE,
  parseConfigFile,
  unsupported,
} from "./config_file.ts";
import type { DecodingRules } from "./decoding_rules.ts";
import type { ModelConfig } from "./family.ts";
import { checkTensors, countElements, type NamedShape } from "./named_shapes.ts";
import { readTokenIds } from "./token_ids.ts";

/** Width of the sinusoid that the timestep embedder takes. */
const TIMESTEP_WIDTH = 256;

// Source: kuleshov-group/bd3lms, `diffusion.py`: `_nucleus_sample`, `_semi_ar_sampler`.
const DECODING: DecodingRules = {
  keepsCrossing: false,
  quota: "masks_left",
  shiftsLogits: false,
  slides: true,
};

/** Configuration of a BD3-LM: a diffusion transformer with adaptive layer norm. */
export interface Bd3lmConfig extends ModelConfig {
  readonly modelType: "bd3lm";
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  /** Even; `heads * headSize` is `hiddenSize`. */
  readonly headSize: number;
  /** Whether layer norms are adaptive. Without, there is no conditioning at all. */
  readonly adaln: boolean;
  /** Width of the conditioning; 0 without `adaln`. */
  readonly condSize: number;
}

/** Fields that change the forward pass, with the defaults of the published configuration class. */
const ConfigFile = z.object({
  model_type: z.literal("bd3lm"),
  vocab_size: z.int().min(2).max(1 << 24),
  model_length: count(1 << 20),
  block_size: count(MAX_BLOCK_SIZE),
  hidden_dim: count(1 << 16),
  n_blocks: count(1 << 10),
  n_heads: count(1 << 12),
  cond_dim: count(1 << 16).default(129),
  adaln: z.boolean().default(true),
  cross_attn: z.boolean().default(true),
  causal: z.boolean().default(false),
  time_conditioning: z.boolean().default(false),
});

/**
 * Reads `config.json` of a BD3-LM. Fields that do not change the forward pass are ignored.
 *
 * Source: kuleshov-group/bd3lm-owt-block_size4, `configuration_bd3lm.py` and `modeling_bd3lm.py`.
 *
 * @throws {CheckpointError} If a field is missing, of the wrong type or out of range, fields
 * contradict each other, or the model is not a block diffusion model.
 */
export function readBd3lmConfig(checkpoint: Checkpoint): Bd3lmConfig {
  const file = checkConfigFile(parseConfigFile(ConfigFile, checkpoint.config));
  const headSize = file.hidden_dim / file.n_heads;
  const shape = {
    vocabSize: file.vocab_size,
    hiddenSize: file.hidden_dim,
    layers: file.n_blocks,
    condSize: file.adaln ? file.cond_dim : 0,
    headSize,
  };
  const tokens = readTokenIds(checkpoint, file.vocab_size);
  return {
    modelType: file.model_type,
    ...shape,
    heads: file.n_heads,
    adaln: file.adaln,
    timeConditioning: file.adaln && file.time_conditioning,
    modelLength: file.model_length,
    blockSize: file.block_size,
    blockSizes: blockSizesOf(file.block_size, file.model_length),
    parameters: countElements(requiredTensors(shape)),
    ...tokens,
    stopTokens: tokens.eosToken === null ? [] : [tokens.eosToken],
    decoding: DECODING,
    defaults: {},
  };
}

/**
 * Checks that the checkpoint has exactly the tensors of the network, in floating point.
 *
 * The stored rotary frequencies and the two bounds of the training schedule may be there or not:
 * nothing reads them.
 *
 * @throws {CheckpointError} Naming file and tensor.
 */
export function checkBd3lmTensors(checkpoint: Checkpoint, config: Bd3lmConfig): void {
  const [required, optional] = [requiredTensors(config), optionalTensors(config)];
  checkTensors(checkpoint, { required, optional });
}

type ConfigFile = z.output<typeof ConfigFile>;

/** Checks what single fields do not show. */
function checkConfigFile(file: ConfigFile): ConfigFile {
  if (!file.cross_attn || file.causal) {
    const [key, value] = file.causal ? ["causal", true] : ["cross_attn", false];
    throw unsupported(
      `key "${key}" is ${value}, expected ${!value}: this is no block diffusion model`,
    );
  }
  if (file.model_length % file.block_size !== 0) {
    const length = file.model_length;
    throw invalidConfig(`key "block_size" is ${file.block_size}, expected a divisor of ${length}`);
  }
  if (file.hidden_dim % (2 * file.n_heads) !== 0) {
    const [width, heads] = [file.hidden_dim, file.n_heads];
    throw invalidConfig(
      `key "n_heads" is ${heads}, expected heads of an even size to fill ${width}`,
    );
  }
  const headSize = file.hidden_dim / file.n_heads;
  if (headSize > MAX_HEAD_SIZE) {
    throw unsupported(
      `key "n_heads" is ${file.n_heads}: heads of ${headSize}, expected at most ${MAX_HEAD_SIZE}`,
    );
  }
  return file;
}

/** The trained size, its divisors down to 1, and its multiples that divide the model's length. */
function blockSizesOf(trained: number, modelLength: number): number[] {
  const sizes = Array.from({ length: Math.min(modelLength, MAX_BLOCK_SIZE) }, (_, i) => i + 1);
  return sizes.filter((size) =>
    trained % size === 0 || (size % trained === 0 && modelLength % size === 0)
  );
}

/** What the shapes of a network's tensors follow from. */
export type Sizes = Pick<
  Bd3lmConfig,
  "vocabSize" | "hiddenSize" | "layers" | "condSize" | "headSize"
>;

/** Names and shapes of all parameters. */
export function requiredTensors({ vocabSize, hiddenSize, layers, condSize }: Sizes): NamedShape[] {
  const hasConditioning = condSize > 0;
  const linear = (name: string, rows: number, columns: number): NamedShape[] => [
    [`backbone.${name}.weight`, [rows, columns]],
    [`backbone.${name}.bias`, [rows]],
  ];
  const layer = (name: string): NamedShape[] => [
    [`backbone.${name}.norm1.weight`, [hiddenSize]],
    [`backbone.${name}.norm2.weight`, [hiddenSize]],
    [`backbone.${name}.attn_qkv.weight`, [3 * hiddenSize, hiddenSize]],
    [`backbone.${name}.attn_out.weight`, [hiddenSize, hiddenSize]],
    ...linear(`${name}.mlp.0`, 4 * hiddenSize, hiddenSize),
    ...linear(`${name}.mlp.2`, hiddenSize, 4 * hiddenSize),
    ...(hasConditioning ? linear(`${name}.adaLN_modulation`, 6 * hiddenSize, condSize) : []),
  ];
  return [
    ["backbone.vocab_embed.embedding", [vocabSize, hiddenSize]],
    ...Array.from({ length: layers }, (_, i) => layer(`blocks.${i}`)).flat(),
    ["backbone.output_layer.norm_final.weight", [hiddenSize]],
    ...linear("output_layer.linear", vocabSize, hiddenSize),
    ...(hasConditioning
      ? [
        ...linear("sigma_map.mlp.0", condSize, TIMESTEP_WIDTH),
        ...linear("sigma_map.mlp.2", condSize, condSize),
        ...linear("output_layer.adaLN_modulation", 2 * hiddenSize, condSize),
      ]
      : []),
  ];
}

/** Buffers that official checkpoints store and that the forward pass does without. */
function optionalTensors({ headSize }: Sizes): NamedShape[] {
  return [
    ["backbone.rotary_emb.inv_freq", [headSize / 2]],
    ["sampling_eps_min", []],
    ["sampling_eps_max", []],
  ];
}
