import { z } from "zod";
import { type Checkpoint, CheckpointError } from "../weights/checkpoint.ts";
import { quote } from "../weights/errors.ts";
import { readTokenizerFile, vocabularyOf } from "./tokenizer_file.ts";

/** Tokens with a meaning of their own. */
export interface TokenIds {
  readonly maskToken: number;
  /** null where the model has none; likewise `eosToken`. */
  readonly bosToken: number | null;
  readonly eosToken: number | null;
}

const TOKENIZER_FILE = "tokenizer.json";
const SETTINGS_FILE = "tokenizer_config.json";
/** Ids by token: older exports have it beside a vocabulary. */
const ADDED_FILE = "added_tokens.json";

/** What a token may be for. */
export type Role = "mask" | "bos" | "eos";

/** Names under which a tokenizer may have the token; BERT's has no `bos_token`. */
const NAMES: Readonly<Record<Role, readonly string[]>> = {
  mask: ["mask_token"],
  bos: ["bos_token", "cls_token"],
  eos: ["eos_token", "sep_token"],
};

const Named = z.union([z.string(), z.object({ content: z.string() })]).nullish();
const TokenizerConfig = z.looseObject({
  mask_token: Named,
  bos_token: Named,
  cls_token: Named,
  eos_token: Named,
  sep_token: Named,
  added_tokens_decoder: z.record(z.string(), z.object({ content: z.string() })).nullish(),
});
const AddedIds = z.record(z.string(), z.number());
const TokenizerIds = z.looseObject({
  added_tokens: z.array(z.object({ id: z.number(), content: z.string() })).nullish(),
});

/**
 * Finds the mask, begin and end tokens: the ids in `config.json`, else in `generation_config.json`,
 * else the tokenizer's names for them, else the convention of the published checkpoints: the mask
 * is the last id, and begin and end are both the one before it. A `null` in `config.json` for the
 * begin or end token means that there is none.
 *
 * Source: kuleshov-group/bd3lms, `dataloader.py` and `diffusion.py`: "mask_index".
 *
 * @throws {CheckpointError} If an id is not in the vocabulary, or the mask has a second meaning.
 */
export function readTokenIds(checkpoint: Checkpoint, vocabSize: number): TokenIds {
  const files = readTokenFiles(checkpoint, vocabSize);
  const find = (role: Role) => findToken(files, role, vocabSize);
  const maskToken = find("mask") ?? vocabSize - 1;
  // The convention needs both ids at the end; with a mask elsewhere it says nothing.
  const fallback = maskToken === vocabSize - 1 ? vocabSize - 2 : null;
  const orFallback = (token: number | null | undefined) => token === undefined ? fallback : token;
  const bosToken = orFallback(find("bos"));
  const eosToken = orFallback(find("eos"));
  for (const [role, token] of [["bos", bosToken], ["eos", eosToken]] as const) {
    if (token !== maskToken) continue;
    throw new CheckpointError(
      "config.json",
      "invalid_config",
      `key "${role}_token_id" is ${token}, expected another token than the mask`,
    );
  }
  return { maskToken, bosToken, eosToken };
}

/** What the files of a checkpoint say about tokens with a meaning of their own. */
export interface TokenFiles {
  readonly config: Readonly<Record<string, unknown>>;
  readonly generation: Readonly<Record<string, unknown>>;
  readonly tokenizerConfig: z.output<typeof TokenizerConfig>;
  /** Id of a token by its text. Opens `tokenizer.json`, which is large, when first called. */
  readonly idOf: (text: string) => unknown;
  /** Tokens added to the vocabulary, from whichever file has some. Opens `tokenizer.json` likewise. */
  readonly added: () => readonly AddedToken[];
}

/** A token beside those that merges make. */
export interface AddedToken {
  readonly content: string;
  readonly id: number;
  /** Where it is said. */
  readonly file: string;
}

/**
 * Reads the small files that may name tokens.
 *
 * @throws {CheckpointError} If one of them is not as expected.
 */
export function readTokenFiles(checkpoint: Checkpoint, vocabSize: number): TokenFiles {
  let tokenizer: Record<string, unknown> | null = null;
  const readTokenizer = () => tokenizer ??= readTokenizerFile(checkpoint, vocabSize) ?? {};
  const settings = checkpoint.json(SETTINGS_FILE) ?? {};
  const tokenizerConfig = parse(TokenizerConfig, settings, SETTINGS_FILE);
  return {
    config: checkpoint.config,
    generation: checkpoint.json("generation_config.json") ?? {},
    tokenizerConfig,
    idOf: (text) => findInTokenizer(readTokenizer(), text),
    added: () => {
      const named = tokenizerConfig.added_tokens_decoder ?? {};
      const tokens = parse(TokenizerIds, readTokenizer(), TOKENIZER_FILE).added_tokens ?? [];
      const ids = parse(AddedIds, checkpoint.json(ADDED_FILE) ?? {}, ADDED_FILE);
      return [
        ...Object.entries(named).map(([id, { content }]) => (
          { content, id: Number(id), file: SETTINGS_FILE }
        )),
        ...tokens.map((each) => ({ ...each, file: TOKENIZER_FILE })),
        ...Object.entries(ids).map(([content, id]) => ({ content, id, file: ADDED_FILE })),
      ];
    },
  };
}

/** undefined where no file says anything, null where there is said to be none. */
function findToken(files: TokenFiles, role: Role, vocabSize: number): number | null | undefined {
  const key = `${role}_token_id`;
  const stated = files.config[key];
  if (stated === null && role !== "mask") return null;
  for (
    const [file, value] of [
      ["config.json", stated],
      ["generation_config.json", files.generation[key]],
    ] as const
  ) {
    if (value === undefined || value === null) continue;
    // There may be several ends, the main one first.
    return expectTokenId(Array.isArray(value) ? value[0] : value, { file, key, vocabSize });
  }
  return findNamedToken(files, role, vocabSize);
}

/**
 * Finds the token that the tokenizer names as having a role.
 *
 * @throws {CheckpointError} If its id is not in the vocabulary.
 */
export function findNamedToken(
  { tokenizerConfig, idOf }: TokenFiles,
  role: Role,
  vocabSize: number,
): number | undefined {
  for (const key of NAMES[role]) {
    const token = tokenizerConfig[key] as z.output<typeof Named>; // All of NAMES have this type.
    const text = typeof token === "object" ? token?.content : token;
    if (text === undefined) continue;
    for (const [id, { content }] of Object.entries(tokenizerConfig.added_tokens_decoder ?? {})) {
      if (content !== text) continue;
      return expectTokenId(/^\d+$/.test(id) ? Number(id) : id, {
        file: SETTINGS_FILE,
        key,
        vocabSize,
      });
    }
    const id = idOf(text);
    if (id !== undefined) return expectTokenId(id, { file: TOKENIZER_FILE, key: text, vocabSize });
  }
  return undefined;
}

function findInTokenizer(tokenizer: Record<string, unknown>, text: string): unknown {
  const { added_tokens: added } = parse(TokenizerIds, tokenizer, TOKENIZER_FILE);
  const found = added?.find(({ content }) => content === text);
  if (found !== undefined) return found.id;
  const vocab = vocabularyOf(tokenizer);
  return vocab !== null && Object.hasOwn(vocab, text) ? vocab[text] : undefined;
}

function parse<T>(schema: z.ZodType<T>, json: unknown, file: string): T {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new CheckpointError(
    file,
    "invalid_tokenizer",
    `key ${quote(issue?.path.join("."))} is not usable (${issue?.message})`,
  );
}

/**
 * Checks a token id that stands in a file.
 *
 * @throws {CheckpointError} If it is not in the vocabulary.
 */
export function expectTokenId(
  id: unknown,
  { file, key, vocabSize }: { file: string; key: string; vocabSize: number },
): number {
  if (typeof id === "number" && Number.isInteger(id) && id >= 0 && id < vocabSize) return id;
  throw new CheckpointError(
    file,
    file === TOKENIZER_FILE ? "invalid_tokenizer" : "invalid_config",
    `key ${quote(key)} is token ${quote(id)}, expected an integer from 0 to ${vocabSize - 1}`,
  );
}
