import { assertEquals } from "@std/assert";
import {
  advance,
  cellWidth,
  dim,
  printable,
  processOutput,
  ProgressBar,
} from "../../src/commands/terminal.ts";
import { Pipe, Screen } from "../support/screen.ts";

Deno.test("printable() makes control characters visible and keeps line feeds", () => {
  assertEquals(printable("a\x1b[31mb\x07\x00\r\n"), "a␛[31mb␇␀␍\n");
  assertEquals(printable("\x7f\x9b1m"), "␡\ufffd1m");
  assertEquals(printable("a\tb"), "a    b");
  assertEquals(printable("é 中 😀"), "é 中 😀");
});

Deno.test("cellWidth() is two for wide characters and none for marks", () => {
  const widths = (text: string) => [...text].map(cellWidth);
  assertEquals(widths("aé░ "), [1, 1, 1, 1]);
  assertEquals(widths("中한ア！😀🚀"), [2, 2, 2, 2, 2, 2]);
  assertEquals(widths("\u0301\u200d\ufe0f"), [0, 0, 0]);
});

Deno.test("advance() stays in the last cell until another character comes", () => {
  assertEquals(advance("abc", 0, 3), { row: 0, column: 3 });
  assertEquals(advance("abcd", 0, 3), { row: 1, column: 1 });
  assertEquals(advance("abc\n", 0, 3), { row: 1, column: 0 });
  assertEquals(advance("a中", 1, 3), { row: 1, column: 2 });
  assertEquals(advance("", 2, 3), { row: 0, column: 2 });
});

Deno.test("dim() leaves text as it is without colours", () => {
  assertEquals(dim(new Screen(10, 2), "a"), "\x1b[2ma\x1b[0m");
  assertEquals(dim(new Screen(10, 2, { hasColors: false }), "a"), "a");
});

Deno.test("processOutput() writes long text as a whole", () => {
  const written: number[] = [];
  // Takes three bytes at a time, as a full pipe would.
  const stream = {
    isTerminal: () => false,
    writeSync(bytes: Uint8Array) {
      written.push(...bytes.subarray(0, 3));
      return Math.min(bytes.length, 3);
    },
  } as unknown as typeof Deno.stdout; // The rest of a stream is not asked for.
  const output = processOutput(stream);
  output.write("Once upon a time é");
  assertEquals(new TextDecoder().decode(Uint8Array.from(written)), "Once upon a time é");
  assertEquals([output.isTerminal, output.hasColors], [false, false]);
  assertEquals(output.size(), { columns: 80, rows: 24 });
});

Deno.test("ProgressBar draws in one line and leaves nothing behind", () => {
  const screen = new Screen(60, 3);
  {
    using bar = new ProgressBar(screen, "loading weights");
    bar.update(0, 200);
    assertEquals(screen.lines, [`loading weights  ${"░".repeat(24)}  0 %`]);
    bar.update(101, 200);
    assertEquals(screen.lines, [`loading weights  ${"█".repeat(12)}${"░".repeat(12)} 50 %`]);
    assertEquals(screen.dimLines, [`loading weights  ${"█".repeat(12)}${"·".repeat(12)} 50 %`]);
    bar.update(200, 200);
    assertEquals(screen.lines, [`loading weights  ${"█".repeat(24)}100 %`]);
  }
  assertEquals(screen.lines, [""]);
  assertEquals(screen.cursor, { row: 0, column: 0 });
});

Deno.test("ProgressBar writes only what changes", () => {
  const screen = new Screen(60, 3);
  using bar = new ProgressBar(screen, "loading");
  bar.update(1, 1000);
  const { written } = screen;
  bar.update(2, 1000);
  assertEquals(screen.written, written);
});

Deno.test("ProgressBar leaves out what does not fit", () => {
  const narrow = new Screen(24, 3);
  new ProgressBar(narrow, "loading weights").update(1, 2);
  assertEquals(narrow.lines, ["loading weights 50 %"]);
  const tiny = new Screen(10, 3);
  new ProgressBar(tiny, "loading weights").update(1, 2);
  assertEquals(tiny.written, "");
});

Deno.test("ProgressBar takes no total for nothing done, and more than all for all", () => {
  const screen = new Screen(60, 3);
  const bar = new ProgressBar(screen, "loading");
  bar.update(0, 0);
  assertEquals(screen.lines[0]?.endsWith("  0 %"), true);
  bar.update(3, 2);
  assertEquals(screen.lines[0]?.endsWith("100 %"), true);
});

Deno.test("ProgressBar writes nothing to a pipe", () => {
  const pipe = new Pipe();
  {
    using bar = new ProgressBar(pipe, "loading");
    bar.update(1, 2);
  }
  assertEquals(pipe.written, "");
});

Deno.test("ProgressBar says what it is at where that is another thing", () => {
  const screen = new Screen(60, 3);
  using bar = new ProgressBar(screen, "loading");
  bar.update(1, 1, "measuring kernels");
  assertEquals(screen.lines, [`measuring kernels  ${"█".repeat(24)}100 %`]);
  bar.update(0, 1);
  assertEquals(screen.lines, [`loading  ${"░".repeat(24)}  0 %`]);
});
