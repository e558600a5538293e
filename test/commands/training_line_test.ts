import { assertEquals } from "@std/assert";
import { TrainingLine } from "../../src/commands/training_line.ts";
import type { Progress } from "../../src/training/session.ts";

const PROGRESS: Progress = {
  ...{
    update: 7,
    updates: 2000,
    blockSize: 8,
    loss: 3.25,
    gradientNorm: 1,
    rate: 1e-3,
    nelbo: null,
  },
  ...{ tokensPerSecond: 12_345.6, beta: 0, omega: 1, skipped: 0, secondsLeft: 4000 },
};

function lineFor(isTerminal: boolean, columns = 80) {
  const written: string[] = [];
  const line = new TrainingLine({
    ...{ isTerminal, hasColors: false, size: () => ({ columns, rows: 24 }) },
    write: (text) => void written.push(text),
  });
  return { line, written };
}

Deno.test("TrainingLine writes over one line on a terminal", () => {
  const { line, written } = lineFor(true);
  line.update(PROGRESS);
  line.update({ ...PROGRESS, update: 8, nelbo: 3.1254, skipped: 2 });
  line.saved("out/step-8");
  line[Symbol.dispose]();
  assertEquals(written, [
    "\r7/2000  loss 3.250  12,346 tokens/s  1 h 7 min left\x1b[K",
    "\r8/2000  loss 3.250  NELBO 3.125  12,346 tokens/s  1 h 7 min left  2 skipped\x1b[K",
    "\r\x1b[Ksaved out/step-8\n",
  ]);
});

Deno.test("TrainingLine keeps within a narrow terminal, and ends its line", () => {
  const { line, written } = lineFor(true, 20);
  line.update(PROGRESS);
  line[Symbol.dispose]();
  assertEquals(written, ["\r7/2000  loss 3.250 \x1b[K", "\n"]);
});

Deno.test("TrainingLine writes whole lines into a file, one for a look at held-out text", () => {
  const { line, written } = lineFor(false);
  line.update(PROGRESS);
  line.update({ ...PROGRESS, nelbo: 3, secondsLeft: 90, loss: 2.25 });
  line[Symbol.dispose]();
  assertEquals(written, ["7/2000  loss 3.150  NELBO 3.000  12,346 tokens/s  1 h 0 min left\n"]);
});
