import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { TextStream } from "../../src/text/text_stream.ts";
import { Tokenizer } from "../../src/text/tokenizer.ts";
import { noise } from "../support/noise.ts";

/** Token ids 0 to 255 are bytes; from 256 on, the texts of `words`; -1 is special. */
function vocabulary(...words: string[]) {
  return {
    bytes(token: number): Uint8Array {
      if (token < 0) return new Uint8Array();
      return token < 256 ? Uint8Array.of(token) : new TextEncoder().encode(words[token - 256]);
    },
  };
}

const BYTES = vocabulary();
const BOM = [0xef, 0xbb, 0xbf];
const SMILE = [0xf0, 0x9f, 0x98, 0x80];

function utf8(text: string): number[] {
  return [...new TextEncoder().encode(text)];
}

/** The deltas of pushing `blocks`, then that of the end. */
function deltas(blocks: readonly (readonly number[])[], stop: readonly string[] = []): string[] {
  const stream = new TextStream(BYTES, { stop });
  return [...blocks.map((tokens) => stream.push(tokens).text), stream.end()];
}

Deno.test("TextStream holds an unfinished character back until it is complete", () => {
  assertEquals(deltas([[0x61, 0xf0], [0x9f, 0x98], [0x80, 0x62]]), ["a", "", "😀b", ""]);
  assertEquals(deltas([[0xc3], [], [0xa9]]), ["", "", "é", ""]);
});

Deno.test("TextStream gives U+FFFD at once for bytes that cannot become a character", () => {
  // From the table "U+FFFD substitution of maximal subparts" of the Unicode standard, 3.9.
  assertEquals(deltas([[0xff], [0x80]]), ["\ufffd", "\ufffd", ""]);
  assertEquals(deltas([[0xf0], [0x9f], [0x41]]), ["", "", "\ufffdA", ""]);
  assertEquals(deltas([[0xe0], [0x80]]), ["", "\ufffd\ufffd", ""]);
  assertEquals(deltas([[0xc0], [0xaf]]), ["\ufffd", "\ufffd", ""]);
  assertEquals(deltas([[0xed], [0xa0, 0x80]]), ["", "\ufffd\ufffd\ufffd", ""]);
  assertEquals(deltas([[0xf4], [0x91]]), ["", "\ufffd\ufffd", ""]);
});

Deno.test("TextStream end() gives one U+FFFD for a character that was never finished", () => {
  assertEquals(deltas([[0xf0, 0x9f, 0x98]]), ["", "\ufffd"]);
  assertEquals(deltas([[0x61]]), ["a", ""]);
});

Deno.test("TextStream keeps a byte order mark, first or not", () => {
  assertEquals(deltas([BOM.slice(0, 2), BOM.slice(2), BOM]), ["", "\ufeff", "\ufeff", ""]);
});

Deno.test("TextStream passes over special tokens, inside a character too", () => {
  assertEquals(deltas([[0xc3, -1], [-1, 0xa9, -1]]), ["", "é", ""]);
});

Deno.test("TextStream cuts the text before a stop string and counts the tokens", () => {
  const stream = new TextStream(BYTES, { stop: ["\n\n"] });
  assertEquals(stream.push(utf8("one\n")), { text: "one", stopped: null });
  assertEquals(stream.push(utf8("two\n")), { text: "\ntwo", stopped: null });
  assertEquals(stream.stop, null);
  assertEquals(stream.push(utf8("\nthree")), { text: "", stopped: { stop: "\n\n", tokens: 1 } });
  assertEquals(stream.stop, "\n\n");
});

Deno.test("TextStream gives nothing after a stop string", () => {
  const stream = new TextStream(BYTES, { stop: ["b"] });
  assertEquals(stream.push(utf8("abc")), { text: "a", stopped: { stop: "b", tokens: 2 } });
  assertEquals(stream.push(utf8("abc")), { text: "", stopped: { stop: "b", tokens: 0 } });
  assertEquals(stream.end(), "");
});

Deno.test("TextStream stops inside a token of several characters", () => {
  const stream = new TextStream(vocabulary("x END y", "EN", "D."), { stop: ["END"] });
  assertEquals(stream.push([257, 256]), { text: "ENx ", stopped: { stop: "END", tokens: 2 } });
  const across = new TextStream(vocabulary("x END y", "EN", "D."), { stop: ["END"] });
  assertEquals(across.push([257]), { text: "", stopped: null });
  assertEquals(across.push([258, 256]), { text: "", stopped: { stop: "END", tokens: 1 } });
});

Deno.test("TextStream takes the stop string that is complete first, then the longest", () => {
  const stop = (stops: string[], text: string) => {
    const stream = new TextStream(BYTES, { stop: stops });
    const { text: before, stopped } = stream.push(utf8(text));
    return [before, stopped?.stop];
  };
  // "bc" is complete before "abcd", though it starts later.
  assertEquals(stop(["abcd", "bc"], "abcd"), ["a", "bc"]);
  assertEquals(stop(["d", "bcd", "cd"], "abcd"), ["a", "bcd"]);
  assertEquals(stop(["aab"], "aaab"), ["a", "aab"]);
  assertEquals(stop(["abab"], "aabaabab"), ["aaba", "abab"]);
});

Deno.test("TextStream end() gives what might have begun a stop string", () => {
  assertEquals(deltas([utf8("ab"), utf8("ca"), utf8("b")], ["abd"]), ["", "abc", "", "ab"]);
});

Deno.test("TextStream end() ends the text before a stop string that U+FFFD completes", () => {
  const stream = new TextStream(BYTES, { stop: ["a\ufffd"] });
  assertEquals(stream.push([0x62, 0x61, 0xf0]), { text: "b", stopped: null });
  assertEquals(stream.end(), "");
  assertEquals(stream.stop, "a\ufffd");
});

Deno.test("TextStream ends no delta between the halves of a surrogate pair", () => {
  // U+1F600 and U+1F601 share their first half.
  assertEquals(deltas([SMILE, utf8("😁")], ["😁x"]), ["😀", "", "😁"]);
  assertEquals(deltas([SMILE, utf8("x😁")], ["😁"]), ["😀", "x", ""]);
});

Deno.test("TextStream throws for a stop string that is empty or not well-formed", () => {
  for (const stop of ["", "\ud800"]) {
    assertThrows(() => new TextStream(BYTES, { stop: [stop] }), RangeError, "stop string");
  }
});

Deno.test("TextStream takes time in proportion to the text", () => {
  const long = "a".repeat(255) + "b";
  const stream = new TextStream(BYTES, { stop: [long, long.slice(1), long.slice(2), "ab"] });
  const block = utf8("a".repeat(1000));
  const start = performance.now();
  for (let i = 0; i < 300; i++) assertEquals(stream.push(block).stopped, null);
  assertLess(performance.now() - start, 5_000);
  assertEquals(stream.push(utf8("b")).stopped, { stop: long, tokens: 1 });
});

Deno.test("TextStream does not depend on how tokens fall into pushes", () => {
  const words = vocabulary("ab", "ba", "aba", "é", "😀", "a\u{1f600}b", "\ufeff", "\n\n");
  const draw = draws(200_000);
  for (let round = 0; round < 2000; round++) {
    const tokens = Array.from({ length: draw(24) }, () => randomToken(draw));
    const stop = Array.from({ length: draw(4) }, () => randomStop(draw));
    const expected = wholeText(words, tokens, stop);
    const stream = new TextStream(words, { stop });
    let text = "";
    let used = 0;
    for (let i = 0; i < tokens.length && stream.stop === null;) {
      const block = tokens.slice(i, i + draw(7));
      const delta = stream.push(block);
      assert(delta.text.isWellFormed());
      text += delta.text;
      used += delta.stopped?.tokens ?? block.length;
      i += block.length;
      if (delta.stopped === null) assertEquals(text, certainText(words, tokens.slice(0, i), stop));
    }
    text += stream.end();
    assertEquals({ text, used, stop: stream.stop }, expected);
  }
});

Deno.test("TextStream gives the whole text of a real tokenizer's tokens", () => {
  const read = (name: string) =>
    JSON.parse(
      Deno.readTextFileSync(new URL(`../../models/tinystories-bd3lm/${name}`, import.meta.url)),
    );
  const tokenizer = Tokenizer.fromJson(read("tokenizer.json"), read("tokenizer_config.json"));
  const draw = draws(20_000);
  const tokens = Array.from({ length: 5000 }, () => draw(4096));
  const stream = new TextStream(tokenizer, { stop: ["<|endoftext|>"] });
  let text = "";
  for (let i = 0; i < tokens.length; i += 8) text += stream.push(tokens.slice(i, i + 8)).text;
  assertEquals(text + stream.end(), tokenizer.decode(tokens));
});

/** Uniform integers below the argument, the same in every run. */
function draws(count: number): (below: number) => number {
  const values = noise(count, 7);
  let i = 0;
  return (below) => Math.floor((values[i++ % count]! + 1) / 2 * below) % below;
}

/** Few different ones, so that stop strings occur: words, ASCII, and bytes of broken characters. */
function randomToken(draw: (below: number) => number): number {
  const bytes = [0x61, 0x62, 0x0a, 0xc3, 0xa9, 0xf0, 0x9f, 0x98, 0x80, 0xff];
  return draw(3) === 0 ? 256 + draw(8) : draw(12) === 0 ? -1 : bytes[draw(bytes.length)]!;
}

function randomStop(draw: (below: number) => number): string {
  const characters = ["a", "b", "é", "\n", "😀", "\ufffd"];
  return Array.from({ length: 1 + draw(4) }, () => characters[draw(characters.length)]).join("");
}

type Words = ReturnType<typeof vocabulary>;

function streamed(words: Words, tokens: readonly number[], isEnd: boolean): string {
  const bytes = Uint8Array.from(tokens.flatMap((token) => [...words.bytes(token)]));
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes, { stream: !isEnd });
}

/** By looking for every stop string at every place of all text so far, token by token. */
function wholeText(words: Words, tokens: readonly number[], stop: readonly string[]) {
  for (let used = 0; used <= tokens.length + 1; used++) {
    const text = streamed(words, tokens.slice(0, used), used > tokens.length);
    const found = firstOccurrence(text, stop);
    if (found !== null) {
      return {
        text: text.slice(0, found.end - found.stop.length),
        used: Math.min(used, tokens.length),
        stop: found.stop,
      };
    }
  }
  return { text: streamed(words, tokens, true), used: tokens.length, stop: null };
}

function firstOccurrence(text: string, stop: readonly string[]) {
  for (let end = 1; end <= text.length; end++) {
    const complete = stop.filter((each) => text.slice(0, end).endsWith(each));
    const longest = complete.toSorted((a, b) => b.length - a.length)[0];
    if (longest !== undefined) return { stop: longest, end };
  }
  return null;
}

/** All of the text but its longest end that is the beginning of a stop string. */
function certainText(words: Words, tokens: readonly number[], stop: readonly string[]): string {
  const text = streamed(words, tokens, false);
  const beginnings = stop.flatMap((each) =>
    Array.from({ length: each.length }, (_, i) => each.slice(0, i))
  );
  const held = beginnings.filter((each) => text.endsWith(each)).map(({ length }) => length);
  return text.slice(0, text.length - Math.max(0, ...held));
}
