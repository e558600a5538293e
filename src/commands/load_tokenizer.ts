import type { z } from "zod";
import { readTokenizerFile, vocabularyOf } from "../model/tokenizer_file.ts";
import { Tokenizer } from "../text/tokenizer.ts";
import { TokenizerConfig } from "../text/vocabulary.ts";
import { type Checkpoint, CheckpointError } from "../weights/checkpoint.ts";
import { quote } from "../weights/errors.ts";

const TOKENIZER_FILE = "tokenizer.json";
const CONFIG_FILE = "tokenizer_config.json";

/**
 * Loads the tokenizer of a checkpoint.
 *
 * @param vocabSize Token ids that the model has.
 * @throws {CheckpointError} If `tokenizer.json` is missing, unusable, or has ids beyond the model.
 */
export function loadTokenizer(checkpoint: Checkpoint, vocabSize: number): Tokenizer {
  const json = readTokenizerFile(checkpoint, vocabSize);
  if (json === null) {
    throw new CheckpointError(TOKENIZER_FILE, "missing_file", "it does not exist");
  }
  expectIdsBelow(vocabSize, json);
  const config = checkpoint.json(CONFIG_FILE) ?? {};
  const { error } = TokenizerConfig.safeParse(config);
  if (error) throw invalid(issueOf(error), CONFIG_FILE);
  try {
    return Tokenizer.fromJson(json, config);
  } catch (cause) {
    // Whatever the library trips over, the file is what it tripped over.
    const problem = cause instanceof Error ? cause.message.slice(0, 300) : "it is unusable";
    throw new CheckpointError(TOKENIZER_FILE, "invalid_tokenizer", problem, { cause });
  }
}

/** Ids the model has no row for would only fail when a prompt first uses them. */
function expectIdsBelow(vocabSize: number, json: Readonly<Record<string, unknown>>): void {
  const expectId = (token: unknown, id: unknown) => {
    if (typeof id === "number" && Number.isInteger(id) && id >= 0 && id < vocabSize) return;
    throw invalid(
      `token ${quote(token)} has id ${quote(id)}, expected an integer from 0 to ${vocabSize - 1}`,
    );
  };
  const vocab = vocabularyOf(json);
  if (vocab === null) throw invalid('key "model.vocab" is no object, expected tokens and ids');
  for (const token in vocab) expectId(token, vocab[token]);
  const added = json.added_tokens ?? [];
  if (!Array.isArray(added)) throw invalid('key "added_tokens" is no array, expected tokens');
  for (const each of added) expectId(each?.content, each?.id);
}

function issueOf({ issues: [issue] }: z.ZodError): string {
  return `key ${quote(issue?.path.join("."))} is not usable (${issue?.message})`;
}

function invalid(problem: string, file = TOKENIZER_FILE): CheckpointError {
  return new CheckpointError(file, "invalid_tokenizer", problem);
}
