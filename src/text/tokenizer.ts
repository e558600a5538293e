import type { Tokenizer as Library } from "@huggingface/tokenizers";
import { z } from "zod";
import { openLibrary } from "./library.ts";
import type { Disguise } from "./disguise.ts";
import { libraryFile } from "./library_file.ts";
import { SpecialContents } from "./special_contents.ts";
import { readSpelling, type Spelling } from "./spelling.ts";
import { isByteLevel, TokenizerJson } from "./tokenizer_json.ts";
import { readVocabulary, TokenizerConfig, type Vocabulary } from "./vocabulary.ts";

const NO_BYTES = new Uint8Array();

/** Text of several scripts, with which a new tokenizer is tried. */
const TRIAL = "It's 3 o'clock,\n\té 中 😀";

/**
 * Turns text into tokens and back.
 *
 * Byte-level tokenizers give any well-formed text back as it was, unless they are made to normalise
 * it or to put a space in front. Others lose what they are made to lose, such as upper case.
 */
export class Tokenizer {
  /** How its special tokens are written in templates. */
  readonly special: SpecialContents;
  /** The same with marks, such as `<think>`. */
  readonly control: SpecialContents;
  readonly #library: Library;
  readonly #vocabulary: Vocabulary;
  readonly #spelling: Spelling;
  /** Bytes of the tokens asked for so far. */
  readonly #bytes = new Map<number, Uint8Array>();

  private constructor(library: Library, vocabulary: Vocabulary, spelling: Spelling) {
    this.#library = library;
    this.#vocabulary = vocabulary;
    this.#spelling = spelling;
    const { special, marks, contents } = vocabulary;
    const written = (ids: Iterable<number>) =>
      new SpecialContents(new Map([...ids].map((id) => [contents.get(id)!, id])));
    this.special = written(special);
    this.control = written([...special, ...marks]);
  }

  /**
   * Makes a tokenizer from the parsed `tokenizer.json` and `tokenizer_config.json` of a BPE or
   * WordPiece model. Without the latter (`null`) only `tokenizer.json` says what is special.
   *
   * @throws {SyntaxError} If they are damaged, or of another kind.
   */
  static fromJson(tokenizerJson: unknown, tokenizerConfig: unknown): Tokenizer {
    try {
      const json = TokenizerJson.parse(tokenizerJson);
      const vocabulary = readVocabulary({
        vocab: json.model.vocab,
        unknown: json.model.unk_token ?? null,
        added: json.added_tokens ?? [],
        config: TokenizerConfig.parse(tokenizerConfig ?? {}),
      });
      const byDefault = isByteLevel(json) ? { type: "ByteLevel" } : null;
      const spelling = readSpelling(json.decoder ?? byDefault);
      const library = openLibrary(libraryFile(json, vocabulary));
      const tokenizer = new Tokenizer(library, vocabulary, spelling);
      // Options of the wrong type come to light here, and not with the first prompt.
      tokenizer.decode(tokenizer.encode(TRIAL));
      return tokenizer;
    } catch (cause) {
      throw toSyntaxError(cause);
    }
  }

  /** One more than the largest token id. */
  get vocabSize(): number {
    return this.#vocabulary.size;
  }

  /**
   * The tokens of `text`, without any special token or mark: what looks like one is ordinary text. A
   * lone surrogate is taken for U+FFFD.
   */
  encode(text: string): number[] {
    return this.#library.encode(text.toWellFormed(), { add_special_tokens: false }).ids;
  }

  /**
   * The tokens of what a template made: special ones and marks wherever `text` has their contents,
   * ordinary ones for what is under `disguise`.
   */
  encodeTemplate(text: string, disguise: Disguise): number[] {
    const reserved = disguise.takeOff(this.control.reserve(text.toWellFormed()));
    return this.#library.encode(reserved, { add_special_tokens: false }).ids;
  }

  /**
   * The UTF-8 that `token` adds to running text, which may be part of a character; none for a
   * special token, and for an id without content: models may have more ids than their tokenizer.
   * A word of a WordPiece tokenizer brings the space before it.
   *
   * @throws {RangeError} If `token` is no id.
   */
  bytes(token: number): Uint8Array {
    const known = this.#bytes.get(token);
    if (known !== undefined) return known;
    const bytes = this.#spell(token);
    this.#bytes.set(token, bytes);
    return bytes;
  }

  /**
   * The text of `tokens` as a whole: without the space that WordPiece and Metaspace tokenizers put
   * in front of the first word. Bytes that are not UTF-8 become U+FFFD as in WHATWG's decoder.
   *
   * @throws {RangeError} If one of them is no id.
   */
  decode(tokens: readonly number[]): string {
    const parts = tokens.map((token) => this.bytes(token));
    const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
    let length = 0;
    for (const part of parts) {
      bytes.set(part, length);
      length += part.length;
    }
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    const { leading } = this.#spelling;
    return text.startsWith(leading) ? text.slice(leading.length) : text;
  }

  /**
   * The text of `token` alone, with U+FFFD for part of a character.
   *
   * @throws {RangeError} If `token` is no id.
   */
  piece(token: number): string {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(this.bytes(token));
  }

  /** Whether `token` stands for something other than text, such as the end or the mask. */
  isSpecial(token: number): boolean {
    return this.#vocabulary.special.has(token);
  }

  #spell(token: number): Uint8Array {
    const { contents, special, added } = this.#vocabulary;
    if (!Number.isInteger(token) || token < 0) {
      throw new RangeError(
        `Cannot decode the token: id is ${token}, expected an integer from 0 up`,
      );
    }
    const content = contents.get(token);
    if (content === undefined || special.has(token)) return NO_BYTES;
    return added.has(token) ? new TextEncoder().encode(content) : this.#spelling.bytes(content);
  }
}

function toSyntaxError(cause: unknown): SyntaxError {
  // The library throws them too, of regular expressions.
  if (cause instanceof SyntaxError && cause.message.startsWith("Cannot")) return cause;
  const [issue] = cause instanceof z.ZodError ? cause.issues : [];
  const problem = issue === undefined
    ? cause instanceof Error ? cause.message : String(cause)
    : `key "${issue.path.join(".")}" is not usable (${issue.message})`;
  return new SyntaxError(`Cannot read the tokenizer: ${problem}`, { cause });
}
