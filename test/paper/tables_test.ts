import { assertEquals, assertThrows } from "@std/assert";
import { RESULTS } from "./support.ts";
import { markdown, refreshTables, tablesOf } from "./tables.ts";

/** Cells of a table in Markdown, without the line below the head. */
function cells(table: string): string[][] {
  const [head, rule, ...rows] = table.trimEnd().split("\n")
    .map((line) => line.split("|").slice(1, -1).map((each) => each.trim()));
  assertEquals(rule!.every((each) => /^-{3,}$/.test(each)), true);
  return [head!, ...rows];
}

const { block_sizes, scratch, clip, quality } = tablesOf(RESULTS);

Deno.test("tablesOf() marks bounds as such, and likelihoods not", () => {
  assertEquals(cells(block_sizes).slice(1), [
    ["1", "2.125 ± 0.063", "8.13 ± 0.50", "0.750"],
    ["4", "≤ 2.500 ± 0.063", "8.13 ± 0.50", "0.750"],
  ]);
});

Deno.test("tablesOf() has the small models", () => {
  assertEquals(cells(scratch).slice(1), [
    ["1", "4.250 ± 0.125", "3.500 ± 0.250", "33.1"],
    ["16", "4.250 ± 0.125", "3.500 ± 0.250", "33.1"],
  ]);
});

Deno.test("tablesOf() has the range whose losses vary least, beside all times", () => {
  assertEquals(cells(clip).slice(1), [["4", "4.00", "1.00", "U[0.5, 1]", "0.25"]]);
});

Deno.test("tablesOf() has every setting, and the stories that no model wrote", () => {
  assertEquals(cells(quality).slice(1), [
    ["first_hitting", "1.00 ± 0.00", "2.00 ± 0.50", "0.0 ± 0.0 %"],
    ["sequential 2", "4.00 ± 0.00", "3.00 ± 0.50", "25.0 ± 12.5 %"],
    ["sequential 4", "2.00 ± 0.00", "3.00 ± 0.50", "25.0 ± 12.5 %"],
    ["the stories", "–", "1.75 ± 0.25", "0.8 ± 0.0 %"],
  ]);
});

Deno.test("markdown() makes columns as wide as their widest cell", () => {
  assertEquals(
    markdown([["a", "long head"], ["longer", "b"]]),
    "| a      | long head |\n| ------ | --------- |\n| longer | b         |\n",
  );
});

Deno.test("refreshTables() changes what stands between the marks of a table, nothing else", () => {
  const document = "Before\n\n<!-- table a -->\n\n| old |\n\n<!-- end -->\n\n" +
    "<!-- table b -->\n<!-- end -->\nAfter\n";
  const once = refreshTables(document, { b: "| B |\n", a: "| A |\n" });
  assertEquals(
    once,
    "Before\n\n<!-- table a -->\n\n| A |\n\n<!-- end -->\n\n" +
      "<!-- table b -->\n\n| B |\n\n<!-- end -->\nAfter\n",
  );
  assertEquals(refreshTables(once, { a: "| A |\n", b: "| B |\n" }), once);
});

for (const document of ["", "<!-- table a -->\n", "<!-- end -->\n"]) {
  Deno.test(`refreshTables() throws without a place in ${JSON.stringify(document)}`, () => {
    assertThrows(() => refreshTables(document, { a: "" }), SyntaxError, '"a"');
  });
}
