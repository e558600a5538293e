import { type Checkpoint, CheckpointError } from "../weights/checkpoint.ts";
import { quote } from "../weights/errors.ts";
import type { DecodingRules, SamplingDefaults } from "./decoding_rules.ts";
import { type Bd3lmConfig, checkBd3lmTensors, readBd3lmConfig } from "./bd3lm_config.ts";
import { type FastDllmConfig, readFastDllmConfig } from "./fast_dllm.ts";
import { readSdarConfig, type SdarConfig } from "./sdar.ts";

/** What is known of any model without a device. */
export interface ModelConfig {
  /** Names the family. */
  readonly modelType: string;
  /** Numbers to learn, buffers not counted. */
  readonly parameters: number;
  /** Token ids, the mask included. */
  readonly vocabSize: number;
  /** Tokens the network sees at once. */
  readonly modelLength: number;
  /** Tokens per block the model was trained with. */
  readonly blockSize: number;
  /** Every block size a request may choose, rising. */
  readonly blockSizes: readonly number[];
  readonly maskToken: number;
  /** Whether the network is told the noise level of its input. */
  readonly timeConditioning: boolean;
  /** null where the model has none; likewise `eosToken`. */
  readonly bosToken: number | null;
  readonly eosToken: number | null;
  /** Tokens that end a sequence, `eosToken` first. */
  readonly stopTokens: readonly number[];
  readonly decoding: DecodingRules;
  /** Sampling that the authors recommend. */
  readonly defaults: SamplingDefaults;
}

/** Configuration of one of the families, told apart by `modelType`. */
export type FamilyConfig = Bd3lmConfig | SdarConfig | FastDllmConfig;

/**
 * Reads `config.json` as its family does, and checks that the checkpoint has exactly the tensors
 * that the configuration calls for.
 *
 * @param options `contextLength`: what a sequence may take at most where it cannot slide; the cache
 * holds room for all of it.
 * @throws {CheckpointError} If the family is unknown, or config or tensors are not what it expects.
 */
export function readFamilyConfig(
  checkpoint: Checkpoint,
  { contextLength = Infinity }: { readonly contextLength?: number } = {},
): FamilyConfig {
  const config = readAny(checkpoint);
  const { modelLength, blockSize, decoding } = config;
  if (decoding.slides || contextLength >= modelLength) return config;
  // A sequence is made of whole blocks, of one at least.
  const blocks = Math.max(1, Math.floor(contextLength / blockSize));
  return { ...config, modelLength: blocks * blockSize };
}

function readAny(checkpoint: Checkpoint): FamilyConfig {
  const modelType = checkpoint.config.model_type;
  switch (modelType) {
    case "bd3lm": {
      const config = readBd3lmConfig(checkpoint);
      checkBd3lmTensors(checkpoint, config);
      return config;
    }
    case "sdar":
    case "a2d-qwen3":
      return readSdarConfig(checkpoint);
    case "Fast_dLLM_Qwen":
      return readFastDllmConfig(checkpoint);
    default:
      throw new CheckpointError(
        "config.json",
        "unsupported_model",
        `key "model_type" is ${quote(modelType)}, expected "bd3lm", "sdar", "a2d-qwen3" or ` +
          `"Fast_dLLM_Qwen"`,
      );
  }
}
