import { assertEquals } from "@std/assert";
import { RESERVED, SpecialContents } from "../../src/text/special_contents.ts";

const special = specialContents(["<a>", "<a><b>", "😀|", "x"]);

/** Their ids are 0, 1, 2, … */
function specialContents(contents: readonly string[]): SpecialContents {
  return new SpecialContents(new Map(contents.map((content, id) => [content, id])));
}

/** What is hidden, shown by asterisks. */
function hide(text: string): string {
  return special.hide(text, () => "*");
}

Deno.test("SpecialContents reserve() writes ids for the longest content at every place", () => {
  const mark = (text: string) => special.reserve(text).replaceAll(RESERVED, "^");
  assertEquals(mark("<a><b><a> <b> 😀|x😀"), "^1^^0^ <b> ^2^^3^😀");
  assertEquals(mark(""), "");
});

Deno.test("SpecialContents hide() breaks every content, overlapping ones too", () => {
  assertEquals(hide("- <a> -"), "- *a> -");
  assertEquals(hide("-<a><b>-"), "-*a><b>-");
  assertEquals(hide("-😀|x-"), "-*|*-");
  const overlapping = specialContents(["ab", "bc", "c"]);
  assertEquals(overlapping.hide("-abc-", () => "*"), "-***-");
});

Deno.test("SpecialContents hide() breaks what the text around could complete", () => {
  assertEquals(hide("- <"), "- *");
  assertEquals(hide("- <a"), "- <*");
  assertEquals(hide("-<a \n"), "-<* \n");
  assertEquals(hide("-😀"), "-*");
  assertEquals(hide("> -"), "* -");
  assertEquals(hide(" a> -"), " *> -");
  assertEquals(hide("|-"), "*-");
  assertEquals(hide(" > "), " * ");
  assertEquals(hide("a"), "*");
});

Deno.test("SpecialContents hide() leaves all other text as it is", () => {
  for (const text of ["", " ", "\n", "- < a >-", "plain", "-<b>-"]) assertEquals(hide(text), text);
  const none = specialContents([]);
  assertEquals(none.hide("<a>", () => "*"), "<a>");
  assertEquals(none.reserve("<a>"), "<a>");
});
