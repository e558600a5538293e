/** Failures that are told in full; of a broken server there would be thousands. */
const TOLD = 20;

/** What became of all clients so far. */
export class Tally {
  readonly #counts = new Map<string, number>();
  readonly #failures: string[] = [];
  #failed = 0;

  /** Notes that something happened. */
  count(what: string, times = 1): void {
    this.#counts.set(what, this.of(what) + times);
  }

  /** How often it happened. */
  of(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  /** Notes something that must not happen. */
  fail(what: string): void {
    this.#failed += 1;
    if (this.#failures.length < TOLD) this.#failures.push(what);
  }

  /** How much happened that must not. */
  get failed(): number {
    return this.#failed;
  }

  /** The first failures. */
  get failures(): readonly string[] {
    return this.#failures;
  }

  /** Everything that was counted, on one line. */
  toString(): string {
    const counts = [...this.#counts].toSorted(([a], [b]) => a < b ? -1 : 1);
    return counts.map(([what, times]) => `${times} ${what}`).join(", ");
  }
}
