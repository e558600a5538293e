import {
  BPE,
  ByteLevelPreTokenizer,
  SequencePreTokenizer,
  Tokenizer as Library,
  WordPiece,
} from "@huggingface/tokenizers";
import { WordCache } from "./word_cache.ts";
import { splitWord } from "./word_piece.ts";

/** Words remembered: a large vocabulary of common ones, some megabytes. */
const CACHED_WORDS = 20_000;

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
 * @throws If the library does not understand `file`; errors are of any class.
 */
export function openLibrary(file: object): Library {
  const library = new Library(file, {});
  const { model, pre_tokenizer: words } = library;
  for (const each of words instanceof SequencePreTokenizer ? words.tokenizers : [words]) {
    if (each instanceof ByteLevelPreTokenizer) each.pattern = WORDS;
  }
  // The cache is of a class that the library does not export; these are the methods it calls.
  if (model instanceof BPE) model.cache = new WordCache(CACHED_WORDS) as unknown as BPE["cache"];
  if (model instanceof WordPiece) model.encode = wordPieceEncode(model);
  return library;
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
