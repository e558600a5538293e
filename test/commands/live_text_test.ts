import { assertEquals } from "@std/assert";
import { LiveText, type Span } from "../../src/commands/live_text.ts";
import { noise } from "../support/noise.ts";
import { Pipe, Screen } from "../support/screen.ts";

const MASK: Span = { text: "░", isDim: true };

Deno.test("LiveText draws a preview in place and replaces it by the text", () => {
  const screen = new Screen(20, 5);
  const live = new LiveText(screen);
  live.append("Once");
  live.preview([MASK, MASK, MASK]);
  assertEquals(screen.lines, ["Once░░░"]);
  assertEquals(screen.dimLines, ["Once···"]);
  live.preview([MASK, { text: " a" }, MASK]);
  assertEquals(screen.lines, ["Once░ a░"]);
  assertEquals(screen.dimLines, ["Once· a·"]);
  live.append(" upon a time");
  assertEquals(screen.lines, ["Once upon a time"]);
  live.end();
  assertEquals(screen.lines, ["Once upon a time"]);
  assertEquals(screen.cursor, { row: 1, column: 0 });
});

Deno.test("LiveText hides the cursor as long as a preview stands", () => {
  const screen = new Screen(20, 5);
  const live = new LiveText(screen);
  live.preview([MASK]);
  assertEquals(screen.isCursorVisible, false);
  live.append("");
  assertEquals([screen.isCursorVisible, screen.lines], [true, [""]]);
  live.preview([MASK]);
  live.end();
  assertEquals([screen.isCursorVisible, screen.lines], [true, [""]]);
});

Deno.test("LiveText wraps a preview at the width, breaks it at line feeds and removes it whole", () => {
  const screen = new Screen(6, 8);
  const live = new LiveText(screen);
  live.append("abcd");
  live.preview([{ text: "ef" }, { text: "ghij\n\nk" }, MASK, { text: "中中中" }]);
  assertEquals(screen.lines, ["abcdef", "ghij", "", "k░中中", "中"]);
  assertEquals(screen.cursor, { row: 0, column: 4 });
  live.append("e");
  assertEquals(screen.lines, ["abcde"]);
});

Deno.test("LiveText keeps the last character of a full line", () => {
  const screen = new Screen(4, 5);
  const live = new LiveText(screen);
  live.append("abcd");
  live.preview([MASK]);
  assertEquals(screen.lines, ["abcd", "░"]);
  live.append("ef");
  live.end();
  assertEquals(screen.lines, ["abcd", "ef"]);
});

Deno.test("LiveText scrolls with a preview at the bottom of the screen", () => {
  const screen = new Screen(4, 3);
  const live = new LiveText(screen);
  live.append("1\n2\n3");
  live.preview([{ text: "abcdefg" }]);
  assertEquals(screen.lines, ["1", "2", "3abc", "defg"]);
  live.append("x");
  assertEquals(screen.lines, ["1", "2", "3x"]);
});

Deno.test("LiveText shows of a preview what fits on the screen", () => {
  const screen = new Screen(4, 3);
  const live = new LiveText(screen);
  live.append("ab");
  live.preview([MASK, { text: "cdefghijk" }]);
  assertEquals(screen.lines, ["ab░c", "defg"]);
  live.append("c");
  assertEquals(screen.lines, ["abc"]);
  const low = new Screen(4, 1);
  new LiveText(low).preview([MASK]);
  assertEquals(low.lines, [""]);
});

Deno.test("LiveText end() erases what the terminal itself has printed over the preview", () => {
  const screen = new Screen(20, 5);
  const live = new LiveText(screen);
  live.append("Once");
  live.preview([MASK, MASK, MASK, MASK]);
  screen.write("^C");
  live.end();
  assertEquals(screen.lines, ["Once"]);
  assertEquals(screen.cursor, { row: 1, column: 0 });
  const empty = new Screen(20, 5);
  const nothing = new LiveText(empty);
  empty.write("^C");
  nothing.end();
  assertEquals([empty.lines, empty.cursor], [[""], { row: 0, column: 0 }]);
});

Deno.test("LiveText shows control characters instead of obeying them", () => {
  const screen = new Screen(20, 5);
  const live = new LiveText(screen);
  live.append("a\x1b[2Jb");
  live.preview([{ text: "\x1b[H" }]);
  assertEquals(screen.lines, ["a␛[2Jb␛[H"]);
});

Deno.test("LiveText sets no style where there are no colours", () => {
  const screen = new Screen(20, 5, { hasColors: false });
  const live = new LiveText(screen);
  live.append("a");
  live.preview([MASK]);
  assertEquals(screen.lines, ["a░"]);
  live.end();
  // No sequence that ends in m.
  assertEquals(screen.written.includes("m"), false);
});

Deno.test("LiveText gives a pipe the text alone, with a line feed at the end", () => {
  const pipe = new Pipe();
  const live = new LiveText(pipe);
  live.append("a\x1b");
  live.preview([MASK]);
  live.append("");
  live.append("b\tc");
  live.end();
  assertEquals(pipe.written, "a\x1bb\tc\n");
  const closed = new Pipe();
  const line = new LiveText(closed);
  line.append("line\n");
  line.append("");
  line.end();
  assertEquals(closed.written, "line\n");
  const empty = new Pipe();
  new LiveText(empty).end();
  assertEquals(empty.written, "");
});

Deno.test("LiveText leaves the same screen as the text written at once", () => {
  const values = noise(60_000, 3);
  let draws = 0;
  const draw = (below: number) => Math.floor((values[draws++]! + 1) / 2 * below) % below;
  const characters = ["a", "b", " ", "\n", "中", "😀", "é", "e\u0301"];
  const randomText = (most: number) =>
    Array.from({ length: draw(most) }, () => characters[draw(characters.length)]).join("");
  for (let round = 0; round < 300; round++) {
    const [columns, rows] = [2 + draw(9), 2 + draw(9)];
    const screen = new Screen(columns, rows);
    const live = new LiveText(screen);
    let text = "";
    for (let block = 0; block < 6; block++) {
      for (let step = draw(3); step > 0; step--) {
        live.preview([{ text: randomText(12) }, MASK, { text: randomText(12) }]);
      }
      const delta = randomText(10);
      live.append(delta);
      text += delta;
      assertEquals(screen.lines, atOnce(text, columns, rows));
    }
    live.end();
    assertEquals(screen.lines, atOnce(text, columns, rows));
    assertEquals(screen.cursor.column, 0);
  }
});

function atOnce(text: string, columns: number, rows: number): string[] {
  const screen = new Screen(columns, rows);
  screen.write(text);
  return screen.lines;
}
