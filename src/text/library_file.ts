import { UTF8_CHARACTERS } from "./byte_alphabet.ts";
import type { Merge } from "./byte_pairs.ts";
import type { LibraryFile } from "./library.ts";
import { RESERVED, reserved } from "./special_contents.ts";
import { isByteLevel, isWordPiece, type TokenizerJson } from "./tokenizer_json.ts";
import { quote, type Vocabulary } from "./vocabulary.ts";

type Vocab = Readonly<Record<string, unknown>>;

/**
 * Makes the `tokenizer.json` that the library gets: one in which text never turns into a special
 * token or a mark, and encoding drops nothing.
 *
 * @throws {SyntaxError} If parts of the model do not fit together.
 */
export function libraryFile(json: TokenizerJson, vocabulary: Vocabulary): LibraryFile {
  const reservedIds = [...vocabulary.special, ...vocabulary.marks];
  const kept = new Set(reservedIds.map((id) => vocabulary.contents.get(id)!));
  const { merges, ...parts } = isWordPiece(json) ? wordPieceParts(json) : bpeParts(json, kept);
  const unknown = json.model.unk_token ?? null;
  const vocab = Object.entries(json.model.vocab).map(([content, id]) => [
    kept.has(content) ? RESERVED + content : content,
    id,
  ]);
  const model = {
    ...json.model,
    ...parts,
    merges: [],
    vocab: Object.fromEntries(vocab),
    unk_token: unknown === null ? null : RESERVED + unknown,
  };
  const { normalizer = null, pre_tokenizer = null } = json;
  const none = { post_processor: null, decoder: null };
  const added_tokens = addedTokens(json, vocabulary);
  return { json: { model, added_tokens, normalizer, pre_tokenizer, ...none }, merges };
}

/** In code units. The library finds them by a tree with a node for each, of some 200 bytes. */
const MOST_ADDED = 500_000;

/** Ordinary ones, which are found in all text, and others, which are not, being reserved. */
function addedTokens(json: TokenizerJson, { added, special, marks }: Vocabulary): object[] {
  const given = json.added_tokens ?? [];
  const byId = new Map(given.map((each) => [each.id, each]));
  // Trimming text around a token would lose it.
  const ordinary = given.filter(({ id }) => added.has(id) && !marks.has(id))
    .map((each) => ({ ...each, lstrip: false, rstrip: false }));
  const size = ordinary.reduce((sum, { content }) => sum + content.length, 0);
  if (size > MOST_ADDED) {
    throw new SyntaxError(
      `Cannot read the tokenizer: key "added_tokens" has ${size} characters, expected at most ` +
        MOST_ADDED,
    );
  }
  const others = [...special, ...marks].map((id) => ({
    ...byId.get(id),
    id,
    content: reserved(id),
    special: true,
    normalized: false,
  }));
  return [...ordinary, ...others];
}

function wordPieceParts({ model }: TokenizerJson) {
  const { unk_token: unknown = null, vocab } = model;
  expectUnknown(unknown, vocab);
  return {
    type: "WordPiece",
    merges: [],
    continuing_subword_prefix: model.continuing_subword_prefix ?? "##",
  };
}

function bpeParts(json: TokenizerJson, kept: ReadonlySet<string>) {
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
  const isOrdinary = ([a, b]: Merge) => ![a, b, a + b].some((each) => kept.has(each));
  return { type: "BPE", merges: merges.filter(isOrdinary) };
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
