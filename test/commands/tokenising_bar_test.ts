import { assertEquals, assertMatch } from "@std/assert";
import { TokenisingBar } from "../../src/commands/tokenising_bar.ts";
import { byteTokenizer } from "../server/support.ts";
import { Pipe, Screen } from "../support/screen.ts";

Deno.test("TokenisingBar tells how much of the text was encoded, and leaves nothing behind", () => {
  const screen = new Screen(60, 2);
  {
    using bar = new TokenisingBar(screen, { tokenizer: byteTokenizer, length: 4 });
    assertEquals(bar.encode("a"), [97]);
    assertMatch(screen.lines.join(), /^tokenising .* 25 %$/);
    assertEquals(bar.encode("bcd"), [98, 99, 100]);
    assertMatch(screen.lines.join(), /^tokenising .*100 %$/);
  }
  assertEquals(screen.lines, [""]);
});

Deno.test("TokenisingBar writes nothing to a pipe", () => {
  const pipe = new Pipe();
  using bar = new TokenisingBar(pipe, { tokenizer: byteTokenizer, length: 4 });
  bar.encode("abcd");
  assertEquals(pipe.written, "");
});
