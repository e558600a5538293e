import { z } from "zod";
import { type Checkpoint, CheckpointError } from "../weights/checkpoint.ts";
import { quote } from "../weights/errors.ts";

const VOCAB_FILE = "vocab.json";
const MERGES_FILE = "merges.txt";
const ADDED_FILE = "added_tokens.json";
const CONFIG_FILE = "tokenizer_config.json";

/** What the files may have at most. */
export interface TokenizerLimits {
  readonly maxBytes: number;
  readonly maxValues: number;
}

/**
 * Where Qwen2's tokenizer splits text: GPT-2's way, but for contractions in any case, a letter run
 * that takes what stands before it, digits one by one, and line breaks.
 *
 * Source: transformers, `models/qwen2/tokenization_qwen2.py`: "PRETOKENIZE_REGEX".
 */
const QWEN2_WORDS = [
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)",
  "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+",
  "\\p{N}",
  " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*",
  "\\s*[\\r\\n]+",
  "\\s+(?!\\S)",
  "\\s+",
].join("|");

const BYTE_LEVEL = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false };

/** What transformers does before the merges, by the beginning of `tokenizer_class`. */
const BEFORE_MERGES = {
  GPT2Tokenizer: { normalizer: null, pre_tokenizer: { ...BYTE_LEVEL, use_regex: true } },
  Qwen2Tokenizer: {
    normalizer: { type: "NFC" },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        {
          type: "Split",
          pattern: { Regex: QWEN2_WORDS },
          behavior: "Isolated",
          invert: false,
        },
        { ...BYTE_LEVEL, use_regex: false },
      ],
    },
  },
};

const Flag = z.boolean().default(false);
const Config = z.looseObject({
  tokenizer_class: z.string().nullish(),
  added_tokens_decoder: z.record(
    z.string().regex(/^\d+$/),
    z.looseObject({ content: z.string(), special: Flag, lstrip: Flag, rstrip: Flag }),
  ).nullish(),
});
const AddedTokens = z.record(z.string(), z.int().min(0));

/**
 * Puts the `tokenizer.json` together that transformers would write for a checkpoint with `vocab.json`
 * and `merges.txt` alone. Of added tokens, `tokenizer_config.json` says how they are written and
 * `added_tokens.json` which others there are.
 *
 * @returns null where there are no such files.
 * @throws {CheckpointError} If they are damaged, or of a tokenizer that is not known.
 */
export function readVocabAndMerges(
  checkpoint: Checkpoint,
  limits: TokenizerLimits,
): Record<string, unknown> | null {
  const vocab = checkpoint.json(VOCAB_FILE, limits);
  if (vocab === null) return null;
  const merges = readMerges(checkpoint, limits);
  const config = parse(Config, checkpoint.json(CONFIG_FILE) ?? {}, CONFIG_FILE);
  return {
    ...beforeMerges(config.tokenizer_class ?? null, checkpoint),
    decoder: { ...BYTE_LEVEL, use_regex: true },
    added_tokens: addedTokens(config, checkpoint),
    model: { type: "BPE", vocab, merges },
  };
}

/** Models of the Qwen kind may have a class of their own, which is Qwen2's by another name. */
function beforeMerges(name: string | null, { config }: Checkpoint) {
  const known = Object.entries(BEFORE_MERGES).find(([each]) => name?.startsWith(each));
  if (known !== undefined) return known[1];
  if (/qwen|sdar/i.test(String(config.model_type))) return BEFORE_MERGES.Qwen2Tokenizer;
  const expected = Object.keys(BEFORE_MERGES).map(quote).join(" or ");
  throw new CheckpointError(
    CONFIG_FILE,
    "invalid_tokenizer",
    `key "tokenizer_class" is ${quote(name)}, expected ${expected} beside "${VOCAB_FILE}"`,
  );
}

function readMerges(checkpoint: Checkpoint, { maxBytes, maxValues }: TokenizerLimits): string[] {
  const bytes = checkpoint.bytes(MERGES_FILE, { maxBytes });
  if (bytes === null) {
    throw new CheckpointError(MERGES_FILE, "missing_file", "it does not exist");
  }
  const lines = new TextDecoder().decode(bytes).split(/\r?\n/);
  const merges = lines.filter((line, i) =>
    line !== "" && !(i === 0 && line.startsWith("#version"))
  );
  if (merges.length <= maxValues) return merges;
  const problem = `it has ${merges.length} merges, expected at most ${maxValues}`;
  throw new CheckpointError(MERGES_FILE, "invalid_tokenizer", problem);
}

function addedTokens(
  { added_tokens_decoder: decoder }: z.output<typeof Config>,
  checkpoint: Checkpoint,
): object[] {
  const described = Object.entries(decoder ?? {}).map(([id, token]) => ({
    ...token,
    id: Number(id),
  }));
  const ids = new Set(described.map(({ id }) => id));
  const listed = parse(AddedTokens, checkpoint.json(ADDED_FILE) ?? {}, ADDED_FILE);
  const others = Object.entries(listed).filter(([, id]) => !ids.has(id));
  return [...described, ...others.map(([content, id]) => ({ id, content, special: false }))];
}

function parse<T>(schema: z.ZodType<T>, json: unknown, file: string): T {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const problem = `key ${quote(issue?.path.join("."))} is not usable (${issue?.message})`;
  throw new CheckpointError(file, "invalid_tokenizer", problem);
}
