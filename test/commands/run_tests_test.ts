import { assertEquals } from "@std/assert";
import { deal, inTurn } from "../../src/commands/run_tests.ts";

Deno.test("deal() gives neighbours to different hands, and every card to one", () => {
  assertEquals(deal(["a", "b", "c", "d", "e"], 2), [["a", "c", "e"], ["b", "d"]]);
  assertEquals(deal(["a"], 1), [["a"]]);
});

Deno.test("inTurn() writes the first output at once, and each of the others after its turn came", () => {
  let written = "";
  const [first, second, third] = inTurn(3, (chunk) => written += new TextDecoder().decode(chunk));
  const bytes = (text: string) => new TextEncoder().encode(text);
  second!.write(bytes("2"));
  first!.write(bytes("1"));
  assertEquals(written, "1");
  third!.write(bytes("3"));
  third!.end();
  first!.write(bytes("i"));
  first!.end();
  assertEquals(written, "1i2");
  second!.write(bytes("ii"));
  second!.end();
  assertEquals(written, "1i2ii3");
});
