import { type Checkpoint, CheckpointError } from "../weights/checkpoint.ts";
import { readVocabAndMerges } from "./vocab_and_merges.ts";

const TOKENIZER_FILE = "tokenizer.json";

/** The memory that loading may take is 256 MiB and the size of the files; half is Deno's own. */
const TOKENS_IN_REACH = 150_000;
/** What one token has been measured to take while its tokenizer is made. */
const BYTES_PER_TOKEN = 1300;

/**
 * Reads `tokenizer.json`, or what it would say for a `vocab.json` and `merges.txt`, bounded by what a tokenizer for `vocabSize` tokens holds and by the size
 * of the weights: a tokenizer may not take more memory than all the rest.
 *
 * @returns null where there is no such file.
 * @throws {CheckpointError} If it is not a JSON object within the bounds.
 */
export function readTokenizerFile(
  checkpoint: Checkpoint,
  vocabSize: number,
): Record<string, unknown> | null {
  const reach = TOKENS_IN_REACH + Math.floor(checkpoint.sizeBytes / BYTES_PER_TOKEN);
  const maxTokens = Math.min(vocabSize, reach);
  const limits = {
    // Indented by two, real files have up to 140 bytes for a token and its merge.
    maxBytes: Math.min(
      (2 << 20) + 256 * maxTokens,
      (20 << 20) + Math.floor(checkpoint.sizeBytes / 8),
    ),
    // A token is two keys and values, its merge three, and an added token about sixteen.
    maxValues: 100_000 + 5 * maxTokens,
  };
  const json = checkpoint.json(TOKENIZER_FILE, limits) ?? readVocabAndMerges(checkpoint, limits);
  const vocab = vocabularyOf(json);
  const tokens = vocab === null ? 0 : Object.keys(vocab).length;
  if (tokens <= maxTokens) return json;
  throw new CheckpointError(
    TOKENIZER_FILE,
    "invalid_tokenizer",
    `key "model.vocab" has ${tokens} tokens, expected at most ${maxTokens} for these weights`,
  );
}

/** The table of tokens and ids in a `tokenizer.json`, or null where there is none. */
export function vocabularyOf(
  json: Readonly<Record<string, unknown>> | null,
): Readonly<Record<string, unknown>> | null {
  const { model } = json ?? {};
  return isObject(model) && isObject(model.vocab) ? model.vocab : null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
