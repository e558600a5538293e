/**
 * The visible characters in which byte-level vocabularies are written, one for each byte: bytes
 * that print stand for themselves, the others for the characters from U+0100 in order.
 *
 * Source: GPT-2, `encoder.py`, `bytes_to_unicode`.
 */
const CHARACTERS: readonly string[] = makeCharacters();
const BYTES: ReadonlyMap<string, number> = new Map(CHARACTERS.map((each, byte) => [each, byte]));

/** What the first byte of a character has beside bits of its code, by the bytes that follow. */
const LEADS = [0, 0xc0, 0xe0, 0xf0];

/** The bytes that occur in UTF-8, as characters of the alphabet. */
export const UTF8_CHARACTERS: readonly string[] = CHARACTERS.filter((_, byte) =>
  byte < 0xc0 || (byte > 0xc1 && byte < 0xf5)
);

/** All characters of the alphabet, in the order of their codes: a vocabulary begins with them. */
export const BYTE_CHARACTERS: readonly string[] = CHARACTERS.toSorted();

/** Writes the UTF-8 of `text` in the alphabet. */
export function toByteAlphabet(text: string): string {
  let result = "";
  for (const character of text) {
    const code = character.codePointAt(0)!; // There is one in every character.
    if (code < 0x80) {
      result += CHARACTERS[code];
      continue;
    }
    const following = code < 0x800 ? 1 : code < 0x1_0000 ? 2 : 3;
    result += CHARACTERS[LEADS[following]! | code >> 6 * following];
    for (let i = following - 1; i >= 0; i--) result += CHARACTERS[0x80 | code >> 6 * i & 0x3f];
  }
  return result;
}

/** Turns characters of the alphabet into their bytes, and any other into its UTF-8. */
export function fromByteAlphabet(content: string): Uint8Array {
  const encoder = new TextEncoder();
  return Uint8Array.from([...content].flatMap((each) => {
    const byte = BYTES.get(each);
    return byte === undefined ? [...encoder.encode(each)] : [byte];
  }));
}

function makeCharacters(): string[] {
  let others = 0x100;
  return Array.from({ length: 0x100 }, (_, byte) => {
    // The soft hyphen, U+00AD, prints as nothing.
    const isVisible = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCharCode(isVisible ? byte : others++);
  });
}
