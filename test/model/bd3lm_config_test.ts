import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { basename, fromFileUrl, join } from "@std/path";
import { type Bd3lmConfig, readBd3lmConfig } from "../../src/model/bd3lm_config.ts";
import { readFamilyConfig } from "../../src/model/family.ts";
import { Checkpoint, CheckpointError } from "../../src/weights/checkpoint.ts";
import { type TinyOptions, writeJson, writeTinyCheckpoint } from "../support/checkpoints.ts";
import { fixtureFolders, readJson } from "../support/fixtures.ts";
import { withTempDir } from "../support/temp_dir.ts";

/** What is read of a tiny checkpoint, with further files beside it. */
function read(options: TinyOptions, files: Record<string, unknown> = {}): Bd3lmConfig {
  return withTempDir((directory) => {
    writeTinyCheckpoint(directory, { hasTokenizer: false, ...options });
    for (const [name, value] of Object.entries(files)) writeJson(join(directory, name), value);
    using checkpoint = Checkpoint.open(directory);
    const config = readFamilyConfig(checkpoint);
    assert(config.modelType === "bd3lm");
    return config;
  });
}

for (const folder of fixtureFolders()) {
  Deno.test(`readFamilyConfig() reads ${basename(folder)} as it was recorded`, () => {
    using checkpoint = Checkpoint.open(folder);
    const config = readFamilyConfig(checkpoint);
    assert(config.modelType === "bd3lm");
    const file = readJson(join(folder, "config.json")) as Record<string, number>;
    const meta = readJson(join(folder, "meta.json")) as Record<string, number>;
    assertEquals(
      [config.maskToken, config.bosToken, config.eosToken],
      [meta.mask, meta.bos, meta.eos],
    );
    assertEquals(config.parameters, meta.n_params);
    assertEquals(config.heads * config.headSize, file.hidden_dim);
    assertEquals(config.timeConditioning, Boolean(file.time_conditioning));
    assertEquals(config.adaln, true);
    assertEquals(config.blockSize, file.block_size);
  });
}

Deno.test("readFamilyConfig() reads the model that ships", () => {
  const folder = fromFileUrl(new URL("../../models/tinystories-bd3lm", import.meta.url));
  using checkpoint = Checkpoint.open(folder);
  assertEquals(readFamilyConfig(checkpoint), {
    modelType: "bd3lm",
    parameters: 7161152, // Its README.
    vocabSize: 4096,
    hiddenSize: 256,
    layers: 6,
    heads: 4,
    headSize: 64,
    condSize: 32,
    adaln: true,
    timeConditioning: false,
    modelLength: 256,
    blockSize: 8,
    blockSizes: [1, 2, 4, 8, 16, 32, 64, 128, 256],
    maskToken: 4095,
    bosToken: 4094,
    eosToken: 4094,
    stopTokens: [4094],
    decoding: {
      keepsCrossing: false,
      quota: "masks_left",
      shiftsLogits: false,
      slides: true,
    },
    defaults: {},
  });
  assertEquals(checkpoint.isHalf, true);
  // The bounds that the training schedule was clipped to, from config.json.
  assertAlmostEquals(checkpoint.readRows("sampling_eps_min", 0, 1)[0]!, 0.45, 1e-6);
  assertAlmostEquals(checkpoint.readRows("sampling_eps_max", 0, 1)[0]!, 0.95, 1e-6);
});

Deno.test("readFamilyConfig() counts the parameters of the published model", () => {
  // 169,627,218 is what the official class counts at these sizes.
  const sizes = { vocab_size: 50258, hidden_dim: 768, n_blocks: 12, n_heads: 12, cond_dim: 128 };
  withTempDir((directory) => {
    writeTinyCheckpoint(directory);
    const path = join(directory, "config.json");
    writeJson(path, { ...JSON.parse(Deno.readTextFileSync(path)), ...sizes });
    using checkpoint = Checkpoint.open(directory);
    assertEquals(readBd3lmConfig(checkpoint).parameters, 169_627_218);
  });
});

Deno.test("readFamilyConfig() fills in what the published configs leave out", () => {
  const left = { adaln: undefined, causal: undefined, cross_attn: undefined };
  const { adaln, condSize, timeConditioning } = read({
    config: { ...left, time_conditioning: undefined },
  });
  assertEquals([adaln, condSize, timeConditioning], [true, 8, false]);
});

Deno.test("readFamilyConfig() knows models without adaptive norms", () => {
  const config = read({ config: { adaln: false, time_conditioning: true } });
  assertEquals([config.adaln, config.condSize, config.timeConditioning], [false, 0, false]);
});

for (const dtype of ["F32", "F16", "BF16"] as const) {
  Deno.test(`readFamilyConfig() takes ${dtype} weights, sharded, with time conditioning`, () => {
    const config = read({ dtype, shards: 2, config: { time_conditioning: true } });
    assertEquals(config.timeConditioning, true);
  });
}

for (
  const [trained, length, sizes] of [
    [1, 1, [1]],
    [1, 6, [1, 2, 3, 6]],
    [4, 4, [1, 2, 4]],
    [12, 24, [1, 2, 3, 4, 6, 12, 24]],
    [4, 48, [1, 2, 4, 8, 12, 16, 24, 48]],
    [16, 2048, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]],
  ] as const
) {
  Deno.test(`readFamilyConfig() offers the block sizes of ${trained} in ${length}`, () => {
    const config = read({ config: { block_size: trained, model_length: length } });
    assertEquals(config.blockSizes, sizes);
  });
}

/** Where the ids come from, and [mask, begin, end]. */
const TOKENS: readonly [
  from: string,
  config: Record<string, unknown>,
  files: Record<string, unknown>,
  tokens: readonly (number | null)[],
][] = [
  ["the convention", {}, {}, [257, 256, 256]],
  ["config.json", { mask_token_id: 3, bos_token_id: 1, eos_token_id: 2 }, {}, [3, 1, 2]],
  ["config.json, a mask only", { mask_token_id: 3 }, {}, [3, null, null]],
  ["config.json, none", { bos_token_id: null, eos_token_id: null }, {}, [257, null, null]],
  ["config.json, several ends", { eos_token_id: [2, 5] }, {}, [257, 256, 2]],
  [
    "generation_config.json",
    { eos_token_id: 4 },
    { "generation_config.json": { bos_token_id: 1, eos_token_id: 2 } },
    [257, 1, 4],
  ],
  [
    "tokenizer_config.json",
    {},
    {
      "tokenizer_config.json": {
        mask_token: { content: "M" },
        bos_token: "B",
        eos_token: null,
        sep_token: "S",
        added_tokens_decoder: {
          "7": { content: "M" },
          "8": { content: "B" },
          "9": { content: "S" },
        },
      },
    },
    [7, 8, 9],
  ],
  [
    "tokenizer.json",
    {},
    {
      "tokenizer_config.json": { mask_token: "[MASK]", cls_token: "[CLS]", sep_token: "[SEP]" },
      "tokenizer.json": {
        added_tokens: [{ id: 103, content: "[MASK]" }],
        model: { vocab: { "[CLS]": 101, "[SEP]": 102 } },
      },
    },
    [103, 101, 102],
  ],
  [
    "the convention, where the tokenizer's names lead nowhere",
    {},
    { "tokenizer_config.json": { bos_token: "B", mask_token: "toString" } },
    [257, 256, 256],
  ],
];

for (const [from, config, files, tokens] of TOKENS) {
  Deno.test(`readFamilyConfig() takes token ids from ${from}`, () => {
    const { maskToken, bosToken, eosToken } = read({ config }, files);
    assertEquals([maskToken, bosToken, eosToken], tokens);
  });
}

Deno.test("readFamilyConfig() names the key that is wrong and its value", () => {
  const error = assertThrows(() => read({ config: { block_size: 5 } }), CheckpointError);
  assertEquals(
    error.message,
    'Cannot load "config.json": key "block_size" is 5, expected a divisor of 32',
  );
});

for (const name of ["model.f16.safetensors", "model.bf16.safetensors"]) {
  Deno.test(`Checkpoint.readRows() gives ${name} as the rounded weights of the F32 file`, () => {
    const folder = fixtureFolders().find((each) => basename(each) === "bd3lm-tiny")!;
    withTempDir((directory) => {
      Deno.copyFileSync(join(folder, "config.json"), join(directory, "config.json"));
      Deno.copyFileSync(join(folder, name), join(directory, "model.safetensors"));
      using full = Checkpoint.open(folder);
      using half = Checkpoint.open(directory);
      assertEquals([full.isHalf, half.isHalf], [false, true]);
      readFamilyConfig(half);
      for (const { name: tensor, shape } of full.tensors.values()) {
        const round = name.includes("bf16") ? roundToBf16 : Math.f16round;
        const expected = full.readRows(tensor, 0, shape[0] ?? 1).map(round);
        assertEquals(half.readRows(tensor, 0, shape[0] ?? 1), expected, tensor);
      }
    });
  });
}

/** To the nearest, ties to even. */
function roundToBf16(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!;
  const rounded = (bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000;
  return new Float32Array(Uint32Array.of(rounded).buffer)[0]!;
}
