import { StopSearch } from "./stop_search.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** What a push of tokens adds to the text. */
export interface TextDelta {
  /** Text that is certain now; may be empty. */
  readonly text: string;
  /** null while no stop string has occurred. */
  readonly stopped: null | {
    readonly stop: string;
    /** Tokens of this push that count: up to and with the one that completed the occurrence. */
    readonly tokens: number;
  };
}

/** Options of {@linkcode TextStream}. */
export interface TextStreamOptions {
  /** Strings that end the text; none of them empty, all well-formed. */
  readonly stop: readonly string[];
}

/**
 * Turns tokens into text deltas that are never taken back.
 *
 * Bytes of an unfinished character are held back, and so is what may begin a stop string; bytes
 * that cannot become a character are U+FFFD at once. How tokens fall into pushes changes neither
 * the text as a whole nor where a stop string ends it. Takes time in proportion to the text.
 *
 * Source: WHATWG Encoding, "UTF-8 decoder", for what becomes U+FFFD and when.
 */
export class TextStream {
  readonly #tokenizer: Pick<Tokenizer, "bytes">;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #search: StopSearch;
  /** Decoded and not given out: ends with what may begin a stop string. */
  #pending = "";
  #stop: string | null = null;

  /** @throws {RangeError} If a stop string is empty or not well-formed. */
  constructor(tokenizer: Pick<Tokenizer, "bytes">, { stop }: TextStreamOptions) {
    this.#tokenizer = tokenizer;
    this.#search = new StopSearch(stop);
  }

  /** The stop string that ended the text, or null. */
  get stop(): string | null {
    return this.#stop;
  }

  /**
   * Adds generated tokens. After a stop string nothing more is added and no token counts.
   *
   * @throws {RangeError} If one of them is no token id.
   */
  push(tokens: readonly number[]): TextDelta {
    let count = 0;
    for (const token of tokens) {
      if (this.#stop !== null) break;
      this.#append(this.#decoder.decode(this.#tokenizer.bytes(token), { stream: true }));
      count += 1;
    }
    const stopped = this.#stop === null ? null : { stop: this.#stop, tokens: count };
    return { text: this.#release(), stopped };
  }

  /**
   * Ends the text and gives what was held back. Bytes of an unfinished character become U+FFFD,
   * which is text like any other: where it completes a stop string, the text ends before that,
   * and {@linkcode TextStream.stop} tells.
   */
  end(): string {
    if (this.#stop === null) this.#append(this.#decoder.decode());
    const text = this.#pending;
    this.#pending = "";
    return text;
  }

  #append(text: string): void {
    const match = this.#search.next(text);
    if (match === null) {
      this.#pending += text;
      return;
    }
    this.#stop = match.stop;
    this.#pending = (this.#pending + text.slice(0, match.end)).slice(0, -match.stop.length);
  }

  /**
   * Stop strings are well-formed and the decoder gives whole characters, so that a possible
   * beginning of one never starts between the halves of a surrogate pair.
   */
  #release(): string {
    const held = this.#stop === null ? this.#search.held : 0;
    const text = this.#pending.slice(0, this.#pending.length - held);
    this.#pending = this.#pending.slice(text.length);
    return text;
  }
}
