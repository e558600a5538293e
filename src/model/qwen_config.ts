import { z } from "zod";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { quote } from "../weights/errors.ts";
import {
  count,
  invalidConfig,
  MAX_BLOCK_SIZE,
  MAX_HEAD_SIZE,
  parseConfigFile,
  unsupported,
} from "./config_file.ts";
import type { ModelConfig } from "./family.ts";
import { checkTensors, countElements, type NamedShape } from "./named_shapes.ts";
import { readQwenTokens } from "./qwen_tokens.ts";

/** Configuration of a decoder of the shape of Qwen2.5 or Qwen3. */
export interface QwenConfig extends ModelConfig {
  readonly hiddenSize: number;
  /** Width of the perceptron. */
  readonly innerSize: number;
  readonly layers: number;
  /** Query heads, a multiple of `sharedHeads`. */
  readonly heads: number;
  /** Key/value heads: each serves as many neighbouring query heads. */
  readonly sharedHeads: number;
  /** Even; all query heads together may be wider or narrower than `hiddenSize`. */
  readonly headSize: number;
  /** Added to the mean square in every norm. */
  readonly epsilon: number;
  /** Base of the rotary angles. */
  readonly ropeBase: number;
  /** Whether every head of q and k has a norm. */
  readonly hasQkNorm: boolean;
  /** Whether the projections to q, k and v have a bias. */
  readonly hasBias: boolean;
  /** Whether the output layer is the embedding. */
  readonly isTied: boolean;
}

const nothing = z.null().optional();

/**
 * Fields that change the forward pass. What a class would fill in for a missing `rope_theta` is wrong
 * for every published checkpoint; and windows, scaled angles and other activations are not known here.
 */
const ConfigFile = z.object({
  vocab_size: z.int().min(2).max(1 << 24),
  hidden_size: count(1 << 16),
  intermediate_size: count(1 << 18),
  num_hidden_layers: count(1 << 10),
  num_attention_heads: count(1 << 12),
  num_key_value_heads: count(1 << 12),
  head_dim: count(MAX_HEAD_SIZE).nullish(),
  rms_norm_eps: z.number().positive().max(1),
  rope_theta: z.number().min(1).max(1e12),
  max_position_embeddings: count(1 << 21),
  tie_word_embeddings: z.boolean().default(false),
  hidden_act: z.literal("silu").default("silu"),
  rope_scaling: nothing,
  sliding_window: nothing,
  use_sliding_window: z.literal(false).nullish(),
  layer_types: z.array(z.literal("full_attention")).nullish(),
});

type ConfigFile = z.output<typeof ConfigFile>;

/** What a family adds to a {@linkcode QwenConfig}. */
export type FamilyRules = Pick<ModelConfig, "decoding" | "defaults"> & {
  /** Tokens of a block that the model was trained with. */
  readonly blockSize: number;
};

/**
 * Reads `config.json` of a decoder, decides from the tensors what the file does not say, and checks
 * that there are exactly the tensors that this calls for.
 *
 * Source: JetAstra/SDAR, `modeling_sdar.py`; Fast_dLLM_v2, `modeling.py`; their configuration classes.
 *
 * @throws {CheckpointError} If a field is missing, of the wrong type or out of range, asks for what
 * is not known here, or tensors are not as expected.
 */
export function readQwenConfig(
  checkpoint: Checkpoint,
  { blockSize, decoding, defaults }: FamilyRules,
): Omit<QwenConfig, "modelType"> {
  const file = parseConfigFile(ConfigFile, checkpoint.config);
  const shape = readShape(file, checkpoint);
  const required = requiredTensors(shape);
  checkTensors(checkpoint, { required, optional: optionalTensors(shape) });
  const { max_position_embeddings: modelLength } = file;
  if (blockSize > modelLength) {
    throw invalidConfig(
      `key "max_position_embeddings" is ${modelLength}, expected a block of ${blockSize} at least`,
    );
  }
  return {
    ...shape,
    epsilon: file.rms_norm_eps,
    ropeBase: file.rope_theta,
    timeConditioning: false,
    // A sequence is made of whole blocks.
    modelLength: modelLength - modelLength % blockSize,
    blockSize,
    blockSizes: [blockSize],
    parameters: countElements(required),
    ...readQwenTokens(checkpoint, file.vocab_size),
    decoding,
    defaults,
  };
}

/**
 * The trained block size where a key of `config.json` says it.
 *
 * @returns `null` where none of the keys is there.
 * @throws {CheckpointError} If it is no block size.
 */
export function statedBlockSize(checkpoint: Checkpoint, keys: readonly string[]): number | null {
  for (const key of keys) {
    const value = checkpoint.config[key];
    if (value === undefined || value === null) continue;
    const size = count(MAX_BLOCK_SIZE).safeParse(value);
    if (size.success) return size.data;
    throw invalidConfig(
      `key ${quote(key)} is ${quote(value)}, expected an integer from 1 to ${MAX_BLOCK_SIZE}`,
    );
  }
  return null;
}

/** What the shapes of the tensors follow from. */
type Shape = Pick<
  QwenConfig,
  | "vocabSize"
  | "hiddenSize"
  | "innerSize"
  | "layers"
  | "heads"
  | "sharedHeads"
  | "headSize"
  | "hasQkNorm"
  | "hasBias"
  | "isTied"
>;

function readShape(file: ConfigFile, { tensors }: Checkpoint): Shape {
  const { num_attention_heads: heads, num_key_value_heads: sharedHeads } = file;
  if (heads % sharedHeads !== 0) {
    throw invalidConfig(
      `key "num_key_value_heads" is ${sharedHeads}, expected a divisor of ${heads} heads`,
    );
  }
  const first = `${layerName(0)}.self_attn`;
  return {
    vocabSize: file.vocab_size,
    hiddenSize: file.hidden_size,
    innerSize: file.intermediate_size,
    layers: file.num_hidden_layers,
    heads,
    sharedHeads,
    headSize: headSizeOf(file),
    hasQkNorm: tensors.has(`${first}.q_norm.weight`),
    hasBias: tensors.has(`${first}.q_proj.bias`),
    isTied: file.tie_word_embeddings,
  };
}

/** What the file says, or where it says nothing, an equal share of the hidden size. */
function headSizeOf(
  { head_dim: stated, hidden_size: width, num_attention_heads: heads }: ConfigFile,
): number {
  const size = stated ?? width / heads;
  if (stated !== null && stated !== undefined && size % 2 !== 0) {
    throw invalidConfig(`key "head_dim" is ${size}, expected an even size`);
  }
  if (size % 2 !== 0) {
    throw invalidConfig(
      `key "num_attention_heads" is ${heads}, expected heads of an even size to fill ${width}`,
    );
  }
  if (size > MAX_HEAD_SIZE) {
    throw unsupported(
      `key "num_attention_heads" is ${heads}: heads of ${size}, expected at most ${MAX_HEAD_SIZE}`,
    );
  }
  return size;
}

/** Name of a layer in a checkpoint. */
export function layerName(index: number): string {
  return `model.layers.${index}`;
}

function requiredTensors(shape: Shape): NamedShape[] {
  const { vocabSize, hiddenSize, layers } = shape;
  return [
    ["model.embed_tokens.weight", [vocabSize, hiddenSize]],
    ...Array.from({ length: layers }, (_, i) => layerTensors(layerName(i), shape)).flat(),
    ["model.norm.weight", [hiddenSize]],
    ...(shape.isTied ? [] : headTensors(shape)),
  ];
}

function layerTensors(
  name: string,
  { hiddenSize, innerSize, heads, sharedHeads, headSize, hasQkNorm, hasBias }: Shape,
): NamedShape[] {
  const [queries, keys] = [heads * headSize, sharedHeads * headSize];
  const project = (part: string, rows: number): NamedShape[] => [
    [`${name}.self_attn.${part}_proj.weight`, [rows, hiddenSize]],
    ...(hasBias ? [[`${name}.self_attn.${part}_proj.bias`, [rows]] as NamedShape] : []),
  ];
  return [
    [`${name}.input_layernorm.weight`, [hiddenSize]],
    ...[...project("q", queries), ...project("k", keys), ...project("v", keys)],
    ...(hasQkNorm
      ? ["q", "k"].map((each): NamedShape => [`${name}.self_attn.${each}_norm.weight`, [headSize]])
      : []),
    [`${name}.self_attn.o_proj.weight`, [hiddenSize, queries]],
    [`${name}.post_attention_layernorm.weight`, [hiddenSize]],
    [`${name}.mlp.gate_proj.weight`, [innerSize, hiddenSize]],
    [`${name}.mlp.up_proj.weight`, [innerSize, hiddenSize]],
    [`${name}.mlp.down_proj.weight`, [hiddenSize, innerSize]],
  ];
}

function headTensors({ vocabSize, hiddenSize }: Shape): NamedShape[] {
  return [["lm_head.weight", [vocabSize, hiddenSize]]];
}

/** A tied head may be stored a second time. */
function optionalTensors(shape: Shape): NamedShape[] {
  return shape.isTied ? headTensors(shape) : [];
}
