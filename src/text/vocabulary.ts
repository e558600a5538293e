import { z } from "zod";

/** The tokens of a tokenizer. */
export interface Vocabulary {
  /** Content of every token in the tokenizer's own spelling, by id. */
  readonly contents: ReadonlyMap<number, string>;
  /** Ids of tokens that mean something and say nothing. */
  readonly special: ReadonlySet<number>;
  /** Ids of ordinary tokens beside the model's vocabulary: their content is plain text. */
  readonly added: ReadonlySet<number>;
  /** Those of them that mark something, such as `<think>`: only templates write them. */
  readonly marks: ReadonlySet<number>;
  /** One more than the largest id. */
  readonly size: number;
}

/** Bounds what a damaged file can claim; the largest vocabularies in use have 2^18 tokens. */
const MAX_ID = 2 ** 24;

/** One of `added_tokens`. */
export const AddedToken = z.looseObject({
  id: z.int().min(0).max(MAX_ID),
  content: z.string().min(1),
  special: z.boolean().default(false),
});
/** One of `added_tokens`. */
export type AddedToken = z.output<typeof AddedToken>;

const Named = z.union([z.string(), z.looseObject({ content: z.string() })]).nullish();

/** The part of `tokenizer_config.json` that says which tokens are special. */
export const TokenizerConfig = z.looseObject({
  bos_token: Named,
  eos_token: Named,
  unk_token: Named,
  sep_token: Named,
  pad_token: Named,
  cls_token: Named,
  mask_token: Named,
  additional_special_tokens: z.array(Named).nullish(),
  added_tokens_decoder: z.record(
    z.string(),
    z.looseObject({ content: z.string(), special: z.boolean().default(false) }),
  ).nullish(),
});
/** The part of `tokenizer_config.json` that says which tokens are special. */
export type TokenizerConfig = z.output<typeof TokenizerConfig>;

/** The places that say which tokens there are. */
export interface VocabularySources {
  /** `model.vocab`. */
  readonly vocab: Readonly<Record<string, unknown>>;
  /** `model.unk_token`. */
  readonly unknown: string | null;
  readonly added: readonly AddedToken[];
  readonly config: TokenizerConfig;
}

/** An added token that is written like a tag. */
const MARK = /^\|?[<[].*[>\]]\|?$/su;

/** The mask of models whose tokenizers have no name for it: `<|MASK|>`, `|<MASK>|`, `[mask]`. */
const MASK = /^\P{L}+mask\P{L}+$/iu;

/**
 * Joins the places that say which tokens there are and which are special: flagged so among the
 * added tokens, named in `tokenizer_config.json`, called a mask, or standing for unknown text.
 *
 * @throws {SyntaxError} If an id is no id, or two tokens have the same.
 */
export function readVocabulary({ vocab, unknown, added, config }: VocabularySources): Vocabulary {
  const contents = new Map<number, string>();
  const enter = (id: number, content: string) => {
    if (!content.isWellFormed()) {
      throw new SyntaxError(
        `Cannot read the tokenizer: ${quote(content)} has a lone surrogate, expected Unicode`,
      );
    }
    const other = contents.get(id) ?? content;
    if (other === content) return contents.set(id, content);
    throw new SyntaxError(
      `Cannot read the tokenizer: id ${id} is ${quote(other)} and ${quote(content)}, expected one`,
    );
  };
  for (const [content, id] of Object.entries(vocab)) {
    enter(expectId(id, content), content);
  }
  for (const { id, content } of added) {
    // Two ids for one content would make one of them unreachable, and the other ambiguous.
    if (Object.hasOwn(vocab, content) && vocab[content] !== id) {
      throw new SyntaxError(
        `Cannot read the tokenizer: ${quote(content)} is ${vocab[content]} and ${id}, expected one`,
      );
    }
    enter(id, content);
  }
  const special = specialContents(config, added, unknown);
  const ids = [...contents.keys()];
  const ordinary = added.filter(({ content }) => !special.has(content));
  return {
    contents,
    special: new Set(ids.filter((id) => special.has(contents.get(id)!))),
    added: new Set(ordinary.map(({ id }) => id)),
    marks: new Set(ordinary.filter(({ content }) => MARK.test(content)).map(({ id }) => id)),
    size: ids.reduce((largest, id) => Math.max(largest, id), -1) + 1,
  };
}

/** A piece of a file as a message shows it. */
export function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? text.slice(0, 60).toWellFormed() + "…" : text;
}

function expectId(id: unknown, content: string): number {
  if (typeof id === "number" && Number.isInteger(id) && id >= 0 && id <= MAX_ID) return id;
  throw new SyntaxError(
    `Cannot read the tokenizer: id of ${quote(content)} is ${quote(id)}, expected an integer ` +
      `from 0 to ${MAX_ID}`,
  );
}

function specialContents(
  config: TokenizerConfig,
  added: readonly AddedToken[],
  unknown: string | null,
): Set<string> {
  const { bos_token, eos_token, unk_token, sep_token, pad_token, cls_token, mask_token } = config;
  const named = [bos_token, eos_token, unk_token, sep_token, pad_token, cls_token, mask_token]
    .concat(config.additional_special_tokens ?? [])
    .map((each) => typeof each === "string" ? each : each?.content);
  const flagged = [...added, ...Object.values(config.added_tokens_decoder ?? {})]
    .filter(({ special, content }) => special || MASK.test(content)).map(({ content }) => content);
  return new Set([...named, ...flagged, unknown].filter((each) => typeof each === "string"));
}
