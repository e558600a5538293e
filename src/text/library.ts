import {
  BertNormalizer,
  BPE,
  ByteLevelPreTokenizer,
  NFCNormalizer,
  NFDNormalizer,
  NFKCNormalizer,
  NFKDNormalizer,
  type Normalizer,
  PrecompiledNormalizer,
  SequenceNormalizer,
  SequencePreTokenizer,
  Tokenizer as Library,
  WordPiece,
} from "@huggingface/tokenizers";
import { toByteAlphabet } from "./byte_alphabet.ts";
import { BytePairs, type Merge } from "./byte_pairs.ts";
import { orderMarks } from "./combining_marks.ts";
import { WordCache } from "./word_cache.ts";
import { splitWord } from "./word_piece.ts";

/** Words remembered: a large vocabulary of common ones, some megabytes. */
const CACHED_WORDS = 20_000;
/** In code units; longer ones do not come twice. */
const LONGEST_CACHED = 256;

/** What a library is opened with. */
export interface LibraryFile {
  /** A `tokenizer.json` without merges. */
  readonly json: object;
  /** Those of a BPE model, the most important first. */
  readonly merges: readonly Merge[];
}

/**
 * Where byte-level tokenizers split text. The library's own has `\s` for white space, which in
 * JavaScript is not Unicode's: with U+FEFF, without U+0085.
 *
 * Source: tokenizers (Rust), `pre_tokenizers/byte_level.rs`.
 */
const WORDS = new RegExp(
  [
    "'s|'t|'re|'ve|'m|'ll|'d",
    " ?\\p{L}+",
    " ?\\p{N}+",
    " ?[^\\p{White_Space}\\p{L}\\p{N}]+",
    "\\p{White_Space}+(?!\\P{White_Space})",
    "\\p{White_Space}+",
  ].join("|"),
  "gu",
);

/**
 * Opens a `tokenizer.json` with the library, and puts right where that differs from the original
 * or takes too long.
 *
 * @throws If the library does not understand `json`; errors are of any class.
 */
export function openLibrary({ json, merges }: LibraryFile): Library {
  const library = new Library(json, {});
  const { model, normalizer, pre_tokenizer: words } = library;
  if (normalizer !== null) orderMarksFor(normalizer);
  for (const each of words instanceof SequencePreTokenizer ? words.tokenizers : [words]) {
    if (each instanceof ByteLevelPreTokenizer) each.pre_tokenize_text = byteLevelSplit(each);
  }
  if (model instanceof BPE) model.bpe = bytePairSplit(model, merges);
  if (model instanceof WordPiece) model.encode = wordPieceEncode(model);
  return library;
}

/** What makes a Unicode normal form of text, which takes long of marks out of order. */
const FORMS = [
  NFCNormalizer,
  NFDNormalizer,
  NFKCNormalizer,
  NFKDNormalizer,
  PrecompiledNormalizer,
];

function orderMarksFor(normalizer: Normalizer): void {
  if (normalizer instanceof SequenceNormalizer) {
    for (const each of normalizer.normalizers) if (each !== null) orderMarksFor(each);
  } else if (normalizer instanceof BertNormalizer) {
    const strip = normalizer.strip_accents.bind(normalizer);
    normalizer.strip_accents = (text) => strip(orderMarks(text));
  } else if (FORMS.some((form) => normalizer instanceof form)) {
    const normalize = normalizer.normalize.bind(normalizer);
    normalizer.normalize = (text) => normalize(orderMarks(text));
  }
}

/** The library calls the runtime for the bytes of every word, of which a text may have a million. */
function byteLevelSplit(
  { add_prefix_space: addsSpace, use_regex: splits }: ByteLevelPreTokenizer,
): (text: string) => string[] {
  return (text) => {
    const whole = addsSpace && !text.startsWith(" ") ? ` ${text}` : text;
    return (splits ? whole.match(WORDS) ?? [] : [whole]).map(toByteAlphabet);
  };
}

function bytePairSplit(model: BPE, merges: readonly Merge[]): (word: string) => string[] {
  const pairs = new BytePairs({ ids: model.tokens_to_ids, contents: model.vocab }, merges);
  const cache = new WordCache(CACHED_WORDS);
  return (word) => {
    const known = cache.get(word);
    if (known !== undefined) return known;
    const tokens = pairs.split(word);
    if (word.length <= LONGEST_CACHED) cache.put(word, tokens);
    return tokens;
  };
}

function wordPieceEncode(model: WordPiece): (words: string[]) => string[] {
  const { tokens_to_ids: tokens, max_input_chars_per_word: mostCharacters } = model;
  const prefix = model.config.continuing_subword_prefix ?? "";
  const longest = [...tokens.keys()].reduce((most, each) => Math.max(most, [...each].length), 0);
  const unknown = [model.unk_token!]; // libraryFile() has checked that there is one.
  return (words) =>
    words.flatMap((word) => {
      const characters = [...word];
      if (characters.length > mostCharacters) return unknown;
      return splitWord(characters, { tokens, prefix, longest }) ?? unknown;
    });
}
