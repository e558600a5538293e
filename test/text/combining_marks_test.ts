import { assert, assertEquals } from "@std/assert";
import { orderMarks } from "../../src/text/combining_marks.ts";
import { noise } from "../support/noise.ts";

const FORMS = ["NFC", "NFD", "NFKC", "NFKD"] as const;

/** Every combining mark there is. */
const MARKS = Array.from({ length: 0x11_0000 }, (_, code) => code)
  .filter((code) => code < 0xd800 || code > 0xdfff).map((code) => String.fromCodePoint(code))
  .filter((each) => /\p{M}/u.test(each));

/** Runs of marks in disorder: of all kinds, and of few that come again and again. */
function randomRuns(count: number): string[] {
  const draws = [...noise(count * 400)].map(Math.abs).values();
  const pick = <T>(list: readonly T[]): T =>
    list[Math.min(list.length - 1, Math.floor(draws.next().value! * list.length))]!;
  return Array.from({ length: count }, (_, i) => {
    const kinds = i % 2 === 0 ? MARKS : Array.from({ length: 4 }, () => pick(MARKS));
    return Array.from({ length: 300 }, () => pick(kinds)).join("");
  });
}

Deno.test("orderMarks() changes no normal form of any run of marks", () => {
  for (const run of [MARKS.join(""), MARKS.toReversed().join(""), ...randomRuns(100)]) {
    for (const text of [run, `é${run}x`, `각${run}${run}`]) {
      for (const form of FORMS) {
        assertEquals(orderMarks(text).normalize(form), text.normalize(form));
      }
    }
  }
});

Deno.test("orderMarks() leaves text alone that has no long runs of marks", () => {
  for (const text of ["", "plain", "e\u0301\u0316", `e${"\u0301\u0316".repeat(32)}`]) {
    assertEquals(orderMarks(text), text);
  }
  const long = `e${"\u0301\u0316".repeat(40)}`;
  assertEquals(orderMarks(long), `e${"\u0316".repeat(40)}${"\u0301".repeat(40)}`);
});

Deno.test("orderMarks() makes normal forms of a megabyte take no minutes", () => {
  const start = performance.now();
  // Classes in the middle, the first and the last, marks of two code units, and many runs.
  const pairs = ["\u0301\u0316", "\u0301\u0335", "\u0345\u0301", "\u{1d165}\u{1d16e}"];
  for (const part of [...pairs, `a${pairs[0]!.repeat(40)}`]) {
    orderMarks(part.repeat(500_000 / part.length)).normalize("NFC");
  }
  // One second in practice, two minutes in the runtime's own way.
  assert(performance.now() - start < 20_000);
});
