import { assertEquals, assertThrows } from "@std/assert";
import { basename, join } from "@std/path";
import { readFamilyConfig } from "../../src/model/family.ts";
import { Checkpoint, CheckpointError } from "../../src/weights/checkpoint.ts";
import { fixtureFolders, readJson } from "../support/fixtures.ts";
import {
  qwenTensor,
  readQwen,
  readTinyQwen,
  type TinyQwenOptions,
} from "../support/qwen_checkpoints.ts";

for (const family of ["sdar", "fast_dllm"] as const) {
  for (const folder of fixtureFolders(family)) {
    Deno.test(`readFamilyConfig() reads ${basename(folder)} as it was recorded`, () => {
      const config = readQwen(folder);
      const file = readJson(join(folder, "config.json")) as Record<string, number>;
      const meta = readJson(join(folder, "meta.json")) as Record<string, number>;
      assertEquals(config.modelType, family);
      assertEquals(config.maskToken, meta.mask);
      assertEquals(config.blockSize, meta.block_size);
      assertEquals(config.parameters, meta.n_params);
      const stops = [meta.stop].flat().toSorted();
      // The recorded sampler stopped at one of them; the tokenizer may name others.
      assertEquals(stops.filter((each) => config.stopTokens.includes(each!)), stops);
      assertEquals(config.vocabSize, file.vocab_size);
    });
  }
}

Deno.test("readFamilyConfig() reads a model as SDAR is", () => {
  assertEquals(readQwen(folderOf("sdar-tiny")), {
    modelType: "sdar",
    parameters: 71_952,
    vocabSize: 97,
    hiddenSize: 48,
    innerSize: 80,
    layers: 3,
    heads: 4,
    sharedHeads: 2,
    headSize: 16,
    epsilon: 1e-6,
    ropeBase: 1_000_000,
    hasQkNorm: true,
    hasBias: false,
    isTied: false,
    timeConditioning: false,
    modelLength: 32_768,
    blockSize: 4,
    blockSizes: [4],
    maskToken: 96,
    // The config's is left over from what it was made of.
    bosToken: null,
    eosToken: 93,
    stopTokens: [93, 95],
    decoding: {
      keepsCrossing: true,
      quota: "schedule",
      shiftsLogits: false,
      slides: false,
    },
    defaults: { temperature: 0, strategy: "low_confidence_dynamic", threshold: 0.9 },
  });
});

Deno.test("readFamilyConfig() reads a Fast-dLLM v2", () => {
  const config = readQwen(folderOf("fastdllm-tiny"));
  const { headSize, hasQkNorm, hasBias, isTied, blockSizes, stopTokens, decoding } = config;
  // The head size stands in no field.
  assertEquals([headSize, hasQkNorm, hasBias, isTied], [12, false, true, true]);
  assertEquals([blockSizes, stopTokens], [[8], [95]]);
  assertEquals(decoding, {
    keepsCrossing: true,
    quota: "masks_left",
    shiftsLogits: true,
    slides: false,
  });
});

function folderOf(name: string): string {
  return join(import.meta.dirname!, "../fixtures", name);
}

Deno.test("readFamilyConfig() reads half precision in shards as the whole file", () => {
  const folder = folderOf("sdar-tiny");
  assertEquals(readQwen(join(folder, "bf16")), readQwen(folder));
  using checkpoint = Checkpoint.open(join(folder, "bf16"));
  assertEquals(checkpoint.isHalf, true);
});

Deno.test("readFamilyConfig() decides by the tensors, not by what the config says", () => {
  const config = { attention_bias: true };
  assertEquals(readTinyQwen({ config }).hasBias, false);
  const other = readTinyQwen({ hasBias: true, hasQkNorm: false });
  assertEquals([other.hasBias, other.hasQkNorm], [true, false]);
});

Deno.test("readFamilyConfig() takes heads for an equal share where no field says their size", () => {
  assertEquals(readTinyQwen({ config: { head_dim: undefined } }).headSize, 12);
  assertEquals(readTinyQwen({ config: { head_dim: undefined } }).heads, 3);
  assertEquals(readTinyQwen().headSize, 10);
});

Deno.test("readFamilyConfig() takes a tied head from the embedding, stored twice or not", () => {
  const config = { tie_word_embeddings: true };
  const { parameters } = readTinyQwen({ config });
  const tensors = { "lm_head.weight": qwenTensor([97, 36]) };
  assertEquals(readTinyQwen({ config, tensors }).parameters, parameters);
  assertEquals(readTinyQwen().parameters, parameters + 97 * 36);
});

Deno.test("readFamilyConfig() bounds what a sequence may take, in whole blocks", () => {
  assertEquals(readTinyQwen({ config: { max_position_embeddings: 62 } }).modelLength, 60);
  using checkpoint = Checkpoint.open(folderOf("fastdllm-tiny"));
  const lengthFor = (contextLength: number) =>
    readFamilyConfig(checkpoint, { contextLength }).modelLength;
  assertEquals([1, 8, 20, 4096, 40_000].map(lengthFor), [8, 8, 16, 4096, 32_768]);
  using sliding = Checkpoint.open(folderOf("bd3lm-tiny"));
  assertEquals(readFamilyConfig(sliding, { contextLength: 8 }).modelLength, 32);
});

const FIRST = "model.layers.0";
const SECOND = "model.layers.1";

/** What is refused: why, and what the message names. */
const REFUSED: readonly [
  what: string,
  options: TinyQwenOptions,
  code: CheckpointError["code"],
  message: string,
][] = [
  // The class would take 10,000 for it, which no checkpoint was trained with.
  ["no rope_theta", { config: { rope_theta: undefined } }, "invalid_config", '"rope_theta"'],
  ["a rope_theta of 0", { config: { rope_theta: 0 } }, "invalid_config", '"rope_theta" is 0'],
  ["no rms_norm_eps", { config: { rms_norm_eps: undefined } }, "invalid_config", '"rms_norm_eps"'],
  [
    "scaled angles",
    { config: { rope_scaling: { type: "yarn" } } },
    "invalid_config",
    "rope_scaling",
  ],
  ["a window", { config: { sliding_window: 4096 } }, "invalid_config", '"sliding_window" is 4096'],
  ["windows on", { config: { use_sliding_window: true } }, "invalid_config", "use_sliding_window"],
  [
    "layers with windows",
    { config: { layer_types: ["full_attention", "sliding_attention"] } },
    "invalid_config",
    '"layer_types"',
  ],
  ["another activation", { config: { hidden_act: "gelu" } }, "invalid_config", '"hidden_act"'],
  ["an odd head", { config: { head_dim: 9 } }, "invalid_config", '"head_dim" is 9'],
  ["a head of 512", { config: { head_dim: 512 } }, "invalid_config", '"head_dim" is 512'],
  [
    "heads that do not fill",
    { config: { head_dim: undefined, num_attention_heads: 12 } },
    "invalid_config",
    '"num_attention_heads" is 12',
  ],
  [
    "key/value heads that divide nothing",
    { config: { num_key_value_heads: 2 } },
    "invalid_config",
    '"num_key_value_heads" is 2',
  ],
  ["no layers", { config: { num_hidden_layers: 0 } }, "invalid_config", "num_hidden_layers"],
  [
    "a block that exceeds the positions",
    { config: { block_size: 65 } },
    "invalid_config",
    '"max_position_embeddings" is 64',
  ],
  [
    "another model",
    { config: { model_type: "qwen3" } },
    "unsupported_model",
    '"model_type" is "qwen3", expected "bd3lm", "sdar", "a2d-qwen3" or "Fast_dLLM_Qwen"',
  ],
  [
    "heads with a norm in one layer only",
    { tensors: { [`${SECOND}.self_attn.q_norm.weight`]: null } },
    "missing_tensor",
    `"${SECOND}.self_attn.q_norm.weight"`,
  ],
  [
    "a norm of keys beside none of queries",
    { tensors: { [`${FIRST}.self_attn.q_norm.weight`]: null } },
    "unexpected_tensor",
    `"${FIRST}.self_attn.k_norm.weight"`,
  ],
  [
    "biases in one layer only",
    { tensors: { [`${SECOND}.self_attn.q_proj.bias`]: qwenTensor([30]) } },
    "unexpected_tensor",
    `"${SECOND}.self_attn.q_proj.bias"`,
  ],
  [
    "a bias behind attention",
    { tensors: { [`${FIRST}.self_attn.o_proj.bias`]: qwenTensor([36]) } },
    "unexpected_tensor",
    `"${FIRST}.self_attn.o_proj.bias"`,
  ],
  [
    "keys as wide as queries",
    { tensors: { [`${FIRST}.self_attn.k_proj.weight`]: qwenTensor([30, 36]) } },
    "wrong_shape",
    "[30,36], expected [10,36]",
  ],
  [
    "integers",
    {
      tensors: {
        "model.norm.weight": { dtype: "I32", shape: [36], data: new Uint8Array(4 * 36) },
      },
    },
    "wrong_dtype",
    "has dtype I32",
  ],
  ["no head", { tensors: { "lm_head.weight": null } }, "missing_tensor", '"lm_head.weight"'],
  [
    "a tied head of another shape",
    { config: { tie_word_embeddings: true }, tensors: { "lm_head.weight": qwenTensor([96, 36]) } },
    "wrong_shape",
    '"lm_head.weight"',
  ],
];

for (const [what, options, code, message] of REFUSED) {
  Deno.test(`readFamilyConfig() refuses ${what}`, () => {
    const error = assertThrows(() => readTinyQwen(options), CheckpointError, message);
    assertEquals(error.code, code);
  });
}
