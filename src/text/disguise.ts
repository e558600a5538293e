import type { SpecialContents } from "./special_contents.ts";

/** Characters that mean nothing to anybody: those for private use. */
const PRIVATE_USE = [[0xe000, 0xf8ff], [0xf_0000, 0xf_fffd], [0x10_0000, 0x10_fffd]] as const;

/**
 * Keeps texts from spelling special tokens on their way through a template, which sees them nearly
 * as they are: characters of what could be a special token have stand-ins that occur nowhere else.
 */
export class Disguise {
  readonly #special: SpecialContents;
  readonly #free: Iterator<string>;
  readonly #standIns = new Map<string, string>();
  readonly #originals = new Map<string, string>();

  /**
   * @param special What no text may spell, unless it is told otherwise.
   * @param texts All that may meet in the template: the texts to disguise, and the template.
   */
  constructor(special: SpecialContents, texts: readonly string[]) {
    this.#special = special;
    this.#free = freeCharacters([special.joined, ...texts]);
  }

  /**
   * Hides what `text` may not spell.
   *
   * @param special The part of it that this text may not spell.
   * @throws {RangeError} If the texts use up all characters there are for private use.
   */
  putOn(text: string, special = this.#special): string {
    return special.hide(text.toWellFormed(), (character) => this.#standInOf(character));
  }

  /** Gives the characters in `text` back that were replaced, wherever they got to. */
  takeOff(text: string): string {
    if (this.#originals.size === 0) return text;
    return text.replace(/\p{Co}/gu, (character) => this.#originals.get(character) ?? character);
  }

  #standInOf(character: string): string {
    // The place where several contents meet may come up twice.
    if (this.#originals.has(character)) return character;
    const known = this.#standIns.get(character);
    if (known !== undefined) return known;
    const { value, done } = this.#free.next();
    if (done) throw new RangeError("Cannot disguise the text: it has all private-use characters");
    this.#standIns.set(character, value);
    this.#originals.set(value, character);
    return value;
  }
}

function* freeCharacters(texts: readonly string[]): Generator<string> {
  const taken = new Set(texts.flatMap((text) => text.match(/\p{Co}/gu) ?? []));
  for (const [first, last] of PRIVATE_USE) {
    for (let code = first; code <= last; code++) {
      const character = String.fromCodePoint(code);
      if (!taken.has(character)) yield character;
    }
  }
}
