/**
 * Marks special tokens in what the library sees. Well-formed text has no lone surrogate, so that
 * no text can spell them.
 */
export const RESERVED = "\ud800";

/** How a special token is written for the library where it is meant. */
export function reserved(token: number): string {
  return `${RESERVED}${token}${RESERVED}`;
}

/** What {@linkcode SpecialContents.hide} puts in the place of a character. */
export type Replace = (character: string) => string;

/** The contents of a tokenizer's special tokens, and where text spells them or might. */
export class SpecialContents {
  /** All of them, {@linkcode RESERVED} around each. */
  readonly joined: string;
  readonly #tokens: ReadonlyMap<string, number>;
  /** Any content; of several that begin at one place the longest. */
  readonly #any: RegExp;
  /** The first character of any content, also of one inside another. */
  readonly #first: RegExp;
  /** In code units. */
  readonly #longest: number;

  constructor(tokens: ReadonlyMap<string, number>) {
    this.#tokens = tokens;
    const longestFirst = [...tokens.keys()].toSorted((a, b) => b.length - a.length);
    const any = longestFirst.map((each) => RegExp.escape(each)).join("|") || "(?!)";
    this.joined = RESERVED + longestFirst.map((each) => each + RESERVED).join("");
    this.#any = new RegExp(any, "gu");
    this.#first = new RegExp(`(?=${any}).`, "gsu");
    this.#longest = longestFirst[0]?.length ?? 0;
  }

  /** `text` with every content written as {@linkcode reserved} does. */
  reserve(text: string): string {
    return text.replace(this.#any, (content) => reserved(this.#tokens.get(content)!));
  }

  /**
   * `text` in which no content can be found, nor be completed by what comes before or after it, as
   * it is or trimmed: some characters are replaced.
   */
  hide(text: string, replace: Replace): string {
    const core = text.trim();
    const start = text.length - text.trimStart().length;
    const whole = text.slice(0, start) + this.#hideEnds(core, replace) +
      text.slice(start + core.length);
    return this.#hideEnds(whole, replace).replace(this.#first, replace);
  }

  #hideEnds(text: string, replace: Replace): string {
    const hidden = this.#mayGoOn(text) ? text.replace(/.$/su, replace) : text;
    return this.#mayHaveBegun(text) ? hidden.replace(/^./su, replace) : hidden;
  }

  /** Whether a content may begin in `text` and end behind it. */
  #mayGoOn(text: string): boolean {
    return this.#lengths(text).some((length) =>
      this.joined.includes(RESERVED + text.slice(-length))
    );
  }

  /** Whether a content may begin before `text` and end in it, or behind it. */
  #mayHaveBegun(text: string): boolean {
    if (text !== "" && this.joined.includes(text)) return true;
    return this.#lengths(text).some((length) =>
      this.joined.includes(text.slice(0, length) + RESERVED)
    );
  }

  /** Lengths of parts of contents that `text` may begin or end with. */
  #lengths(text: string): number[] {
    return Array.from({ length: Math.min(text.length, this.#longest) }, (_, i) => i + 1);
  }
}
