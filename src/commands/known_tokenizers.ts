import { join } from "@std/path";
import { exists } from "../hub/cache.ts";

/** Repositories with the tokenizer of models that are published without one. */
const KNOWN_TOKENIZERS = [
  // kuleshov-group/bd3lm-owt-*: GPT-2's 50257 tokens and the mask.
  { modelType: "bd3lm", vocabSize: 50_258, id: "openai-community/gpt2" },
];

/** Whether a repository is there for its tokenizer: its weights are of no use here. */
export function isKnownTokenizer(id: string): boolean {
  return KNOWN_TOKENIZERS.some((each) => each.id === id);
}

/**
 * Finds out where the tokenizer of a model without one comes from.
 *
 * @param directory The model's own.
 * @returns The id of a repository; null where the model has a tokenizer, or none is known.
 */
export function findKnownTokenizer(directory: string): string | null {
  if (exists(join(directory, "tokenizer.json"))) return null;
  const { model_type: modelType, vocab_size: vocabSize } = readConfig(directory);
  const known = KNOWN_TOKENIZERS.find((each) =>
    each.modelType === modelType && each.vocabSize === vocabSize
  );
  return known?.id ?? null;
}

/** Whatever is wrong with the file, it is not here that it is told. */
function readConfig(directory: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(Deno.readTextFileSync(join(directory, "config.json"))));
  } catch {
    return {};
  }
}
