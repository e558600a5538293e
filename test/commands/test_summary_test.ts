import { assertEquals } from "@std/assert";
import { summaryLine, TestSummary } from "../../src/commands/test_summary.ts";

/** The line for output that arrives in these pieces. */
function line(status: number, ...pieces: string[]): string {
  const summary = new TestSummary();
  for (const piece of pieces) summary.read(new TextEncoder().encode(piece));
  return summaryLine([summary.counts(status)]);
}

Deno.test("TestSummary.counts() counts tests, not steps", () => {
  assertEquals(line(0, "\nok | 12 passed (3 steps) | 0 failed (3s)\n\n"), "12 passed, 0 failed");
  assertEquals(
    line(1, "\nFAILED | 1 passed (2 steps) | 3 failed (1 step) | 1 ignored (70ms)\n"),
    "1 passed, 3 failed",
  );
});

Deno.test("TestSummary.counts() sees through colours and split pieces", () => {
  const colored = "\n\x1b[0m\x1b[32mok\x1b[0m | 7 passed | 0 failed \x1b[38;5;245m(9ms)\x1b[0m\n";
  assertEquals(line(0, "x".repeat(9000), ...colored), "7 passed, 0 failed");
});

Deno.test("TestSummary.counts() never calls a failed run green", () => {
  assertEquals(line(1, "\nok | 12 passed | 0 failed (3s)\n"), "12 passed, 1 failed");
  assertEquals(line(1, "Check test/a_test.ts\n"), "0 passed, 1 failed");
});

Deno.test("TestSummary.counts() takes the last result, not one that a test printed", () => {
  assertEquals(
    line(0, "ok | 1 passed | 0 failed\n", "ok | 2 passed | 0 failed\n"),
    "2 passed, 0 failed",
  );
});

Deno.test("summaryLine() adds runs up", () => {
  const runs = [{ passed: 3, failed: 0 }, { passed: 40, failed: 2 }];
  assertEquals(summaryLine(runs), "43 passed, 2 failed");
});
