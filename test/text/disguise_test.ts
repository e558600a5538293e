import { assertEquals, assertThrows } from "@std/assert";
import { Disguise } from "../../src/text/disguise.ts";
import { SpecialContents } from "../../src/text/special_contents.ts";

const special = new SpecialContents(new Map([["<a>", 0], ["\ue000", 1]]));

Deno.test("Disguise takeOff() undoes putOn(), wherever the text got to", () => {
  const texts = ["<a> b", "<", "\ue001<a>\ue001", "plain", "\ue000"];
  const disguise = new Disguise(special, texts);
  const worn = texts.map((text) => disguise.putOn(text));
  assertEquals(worn.join("").includes("<a>"), false);
  assertEquals(worn.join("").includes("\ue000"), false);
  assertEquals(disguise.takeOff(worn.toReversed().join("")), texts.toReversed().join(""));
  assertEquals(disguise.putOn("plain"), "plain");
});

Deno.test("Disguise putOn() has one stand-in for a character, which nobody else uses", () => {
  const disguise = new Disguise(special, ["\ue001\ue002"]);
  assertEquals(disguise.putOn("-<a>-<a>-"), "-\ue003a>-\ue003a>-");
  assertEquals(disguise.putOn("-<"), "-\ue003");
  assertEquals(disguise.putOn(">-"), "\ue004-");
});

Deno.test("Disguise putOn() throws when no character is free", () => {
  const all = [[0xe000, 0xf8ff], [0xf0000, 0xffffd], [0x100000, 0x10fffd]].map(([first, last]) =>
    Array.from({ length: last! - first! + 1 }, (_, i) => String.fromCodePoint(first! + i)).join("")
  );
  const disguise = new Disguise(new SpecialContents(new Map([["<a>", 0]])), all);
  assertEquals(disguise.putOn(all[0]!), all[0]);
  assertThrows(() => disguise.putOn("<a>"), RangeError, "private-use");
});
