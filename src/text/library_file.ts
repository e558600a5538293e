import { UTF8_CHARACTERS } from "./byte_alphabet.ts";
import { isByteLevel, isWordPiece, type TokenizerJson } from "./tokenizer_json.ts";
import { quote, type Vocabulary } from "./vocabulary.ts";

/**
 * Marks special tokens in what the library sees. Well-formed text has no lone surrogate, so that
 * no text can spell them.
 */
const RESERVED = "\ud800";

type Vocab = Readonly<Record<string, unknown>>;
type Merge = readonly [string, string];

/**
 * Makes the `tokenizer.json` that the library gets: one in which text never turns into a special
 * token, and encoding drops nothing.
 *
 * @throws {SyntaxError} If parts of the model do not fit together.
 */
export function libraryFile(json: TokenizerJson, vocabulary: Vocabulary): object {
  const { model } = json;
  const special = new Set([...vocabulary.special].map((id) => vocabulary.contents.get(id)!));
  const parts = isWordPiece(json) ? wordPieceParts(json) : bpeParts(json, special);
  const unknown = model.unk_token ?? null;
  return {
    model: {
      ...model,
      ...parts,
      vocab: Object.fromEntries(
        Object.entries(model.vocab).map(([content, id]) => [
          special.has(content) ? RESERVED + content : content,
          id,
        ]),
      ),
      unk_token: unknown === null ? null : RESERVED + unknown,
    },
    // Trimming text around a token would lose it.
    added_tokens: (json.added_tokens ?? []).filter(({ id }) => vocabulary.added.has(id))
      .map((each) => ({ ...each, lstrip: false, rstrip: false })),
    normalizer: json.normalizer ?? null,
    pre_tokenizer: json.pre_tokenizer ?? null,
    post_processor: null,
    decoder: null,
  };
}

function wordPieceParts({ model }: TokenizerJson) {
  const { unk_token: unknown = null, vocab } = model;
  expectUnknown(unknown, vocab);
  return {
    type: "WordPiece",
    continuing_subword_prefix: model.continuing_subword_prefix ?? "##",
  };
}

function bpeParts(json: TokenizerJson, special: ReadonlySet<string>) {
  const { model } = json;
  const { unk_token: unknown = null, vocab } = model;
  if (unknown !== null) expectUnknown(unknown, vocab);
  if (unknown === null && !model.byte_fallback && isByteLevel(json)) expectAllBytes(vocab);
  if (model.continuing_subword_prefix) {
    throw new SyntaxError(
      'Cannot read the tokenizer: key "model.continuing_subword_prefix" is ' +
        `${quote(model.continuing_subword_prefix)}, expected none for BPE`,
    );
  }
  if (model.merges === undefined) {
    throw new SyntaxError('Cannot read the tokenizer: key "model.merges" is missing');
  }
  const merges = model.merges.map((each) => expectMerge(each, vocab));
  return { type: "BPE", merges: merges.filter(([a, b]) => !special.has(a + b)) };
}

function expectUnknown(unknown: string | null, vocab: Vocab): void {
  if (unknown !== null && Object.hasOwn(vocab, unknown)) return;
  throw new SyntaxError(
    `Cannot read the tokenizer: key "model.unk_token" is ${quote(unknown)}, expected a token`,
  );
}

/** The library leaves out characters that the vocabulary lacks. */
function expectAllBytes(vocab: Vocab): void {
  const missing = UTF8_CHARACTERS.find((each) => !Object.hasOwn(vocab, each));
  if (missing === undefined) return;
  throw new SyntaxError(
    `Cannot read the tokenizer: byte ${quote(missing)} is not in the vocabulary, expected all`,
  );
}

function expectMerge(merge: unknown, vocab: Vocab): Merge {
  const parts: unknown = typeof merge === "string" ? merge.split(" ") : merge;
  if (Array.isArray(parts) && parts.length === 2) {
    const [a, b] = parts as unknown[];
    const isMerge = typeof a === "string" && typeof b === "string" && a !== "" && b !== "";
    if (isMerge && [a, b, a + b].every((each) => Object.hasOwn(vocab, each))) return [a, b];
  }
  throw new SyntaxError(
    `Cannot read the tokenizer: merge is ${quote(merge)}, expected two tokens that make a third`,
  );
}
