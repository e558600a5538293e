import type { Checkpoint } from "../weights/checkpoint.ts";
import { CONFIG_FILE, invalidConfig } from "./config_file.ts";
import { MAX_STOP_TOKENS } from "./sequence_state.ts";
import {
  expectTokenId,
  findNamedToken,
  readTokenFiles,
  type TokenFiles,
  type TokenIds,
} from "./token_ids.ts";

/**
 * Finds the mask, and the tokens that end a text. There is no token that begins one: what these
 * checkpoints say about it is left over from what they were made of.
 *
 * The mask is `mask_token_id` in `config.json`, else the tokenizer's `mask_token`, else the added token
 * with the letters of "mask". A text ends with any of the ends that the config, the generation config
 * and the tokenizer name: none of them has all.
 *
 * @throws {CheckpointError} If there is no mask, an id is not in the vocabulary, the mask is an end, or
 * there are too many ends.
 */
export function readQwenTokens(
  checkpoint: Checkpoint,
  vocabSize: number,
): TokenIds & { readonly stopTokens: readonly number[] } {
  const files = readTokenFiles(checkpoint, vocabSize);
  const maskToken = findMask(files, vocabSize);
  const stopTokens = findStops(files, vocabSize);
  if (stopTokens.includes(maskToken)) {
    throw invalidConfig(`key "eos_token_id" has ${maskToken}, expected other tokens than the mask`);
  }
  if (stopTokens.length > MAX_STOP_TOKENS) {
    const count = `${stopTokens.length} tokens with those of the other files`;
    throw invalidConfig(`key "eos_token_id" has ${count}, expected ${MAX_STOP_TOKENS} at most`);
  }
  return { maskToken, bosToken: null, eosToken: stopTokens[0] ?? null, stopTokens };
}

function findMask(files: TokenFiles, vocabSize: number): number {
  const key = "mask_token_id";
  const stated = files.config[key];
  if (stated !== undefined && stated !== null) {
    return expectTokenId(stated, { file: CONFIG_FILE, key, vocabSize });
  }
  const named = findNamedToken(files, "mask", vocabSize);
  if (named !== undefined) return named;
  const found = files.added().filter(({ content }) => lettersOf(content) === "mask");
  const [first] = found;
  if (first === undefined) {
    throw invalidConfig(
      `key "${key}" is absent, expected it, or a mask among the tokenizer's added tokens`,
    );
  }
  const other = found.find(({ id }) => id !== first.id);
  if (other !== undefined) {
    const ids = `${first.id} or ${other.id}`;
    throw invalidConfig(`key "${key}" is absent, expected it, since the mask may be token ${ids}`);
  }
  return expectTokenId(first.id, { file: first.file, key: first.content, vocabSize });
}

function findStops(files: TokenFiles, vocabSize: number): number[] {
  const key = "eos_token_id";
  const sources = { [CONFIG_FILE]: files.config, "generation_config.json": files.generation };
  const stated = Object.entries(sources).flatMap(([file, { [key]: value }]) => {
    const ids = Array.isArray(value) ? value : [value];
    return ids.filter((id) => id !== undefined && id !== null)
      .map((id) => expectTokenId(id, { file, key, vocabSize }));
  });
  const named = findNamedToken(files, "eos", vocabSize);
  return [...new Set([...stated, ...named === undefined ? [] : [named]])];
}

function lettersOf(content: string): string {
  return content.replaceAll(/[^a-z]/gi, "").toLowerCase();
}
