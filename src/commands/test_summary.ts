import { stripVTControlCharacters } from "node:util";

// Deno's own last line: "ok | 12 passed (3 steps) | 1 failed | 2 ignored (3s)".
const RESULT = /^(?:ok|FAILED) \| (\d+) passed(?: \([^)]*\))? \| (\d+) failed/gm;
// More than Deno ever prints after that line.
const KEPT_CHARACTERS = 4096;

/** How many tests passed, and how many did not. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
}

/** Picks the counts out of what `deno test` prints. */
export class TestSummary {
  readonly #decoder = new TextDecoder();
  #tail = "";

  /** Takes the next piece of output. */
  read(chunk: Uint8Array): void {
    this.#tail = (this.#tail + this.#decoder.decode(chunk, { stream: true }))
      .slice(-KEPT_CHARACTERS);
  }

  /**
   * The counts.
   *
   * @param status Exit status; without a result line, as after a type error, it alone decides.
   */
  counts(status: number): TestCounts {
    const [, passed, failed] = [...stripVTControlCharacters(this.#tail).matchAll(RESULT)].at(-1) ??
      ["", "0", "0"];
    return {
      passed: Number(passed),
      failed: status === 0 ? Number(failed) : Math.max(1, Number(failed)),
    };
  }
}

/** The counts of several runs together, as `N passed, N failed`. */
export function summaryLine(counts: readonly TestCounts[]): string {
  const sum = (name: keyof TestCounts) => counts.reduce((total, each) => total + each[name], 0);
  return `${sum("passed")} passed, ${sum("failed")} failed`;
}
