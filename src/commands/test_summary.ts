import { stripVTControlCharacters } from "node:util";

// Deno's own last line: "ok | 12 passed (3 steps) | 1 failed | 2 ignored (3s)".
const RESULT = /^(?:ok|FAILED) \| (\d+) passed(?: \([^)]*\))? \| (\d+) failed/gm;
// More than Deno ever prints after that line.
const KEPT_CHARACTERS = 4096;

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
   * The counts as `N passed, N failed`.
   *
   * @param status Exit status; without a result line, as after a type error, it alone decides.
   */
  line(status: number): string {
    const [, passed, failed] = [...stripVTControlCharacters(this.#tail).matchAll(RESULT)].at(-1) ??
      ["", "0", "0"];
    return `${passed} passed, ${status === 0 ? failed : Math.max(1, Number(failed))} failed`;
  }
}
