import { assertEquals } from "@std/assert";
import { fromByteAlphabet, toByteAlphabet } from "../../src/text/byte_alphabet.ts";

/** Text, and what GPT-2's vocabulary has for its bytes. */
const SPELLED: readonly [text: string, characters: string][] = [
  ["", ""],
  ["Hi!~", "Hi!~"],
  [" a\n\t\0", "ĠaĊĉĀ"],
  ["\x7f", "ġ"],
  ["é", "Ã©"],
  ["\u07ff\u0800", "ß¿àłĢ"],
  ["中\uffff", "ä¸Ńï¿¿"],
  ["😀\u{10ffff}", "ðŁĺĢôı¿¿"],
];

for (const [text, characters] of SPELLED) {
  Deno.test(`toByteAlphabet() writes ${JSON.stringify(text)}, fromByteAlphabet() reads it`, () => {
    assertEquals(toByteAlphabet(text), characters);
    assertEquals(fromByteAlphabet(characters), new TextEncoder().encode(text));
  });
}
