/** @typedef {import("./events.js").BlocksEvent} BlocksEvent */

/** What a run comes to, counted from its events while it goes on. */
export class RunStats {
  /** @type {number | null} */
  seed = null;
  /**
   * Milliseconds of each finished block.
   *
   * @type {number[]}
   */
  blockMs = [];
  /** Tokens of finished blocks, and of the one that is denoised. */
  tokens = 0;
  /** Forward passes. */
  passes = 0;
  /** @type {number | null} */
  firstBlockMs = null;
  /**
   * As the server measured it; `null` before the end.
   *
   * @type {number | null}
   */
  #tokensPerSecond = null;
  /** @type {number | null} */
  #startMs = null;
  #nowMs = 0;
  #finished = { tokens: 0, passes: 0 };

  get tokensPerPass() {
    return this.passes === 0 ? 0 : this.tokens / this.passes;
  }

  get tokensPerSecond() {
    if (this.#tokensPerSecond !== null) return this.#tokensPerSecond;
    const ms = this.#nowMs - (this.#startMs ?? this.#nowMs);
    return ms === 0 ? 0 : 1000 * this.tokens / ms;
  }

  /**
   * Counts an event that came at `nowMs`.
   *
   * @param {BlocksEvent} event
   * @param {number} nowMs
   */
  add({ event, data }, nowMs) {
    this.#startMs ??= nowMs;
    this.#nowMs = nowMs;
    switch (event) {
      case "start":
        this.seed = data.seed;
        return;
      case "step":
        this.tokens = this.#finished.tokens + data.tokens.filter((each) => each !== null).length;
        this.passes = this.#finished.passes + data.nfe;
        return;
      case "block":
        this.#finished.tokens += data.tokens.length;
        this.#finished.passes += data.nfe;
        this.tokens = this.#finished.tokens;
        this.passes = this.#finished.passes;
        this.blockMs.push(data.ms);
        this.firstBlockMs ??= data.ms;
        return;
      case "done":
        this.passes = data.passes;
        this.firstBlockMs = data.timings.first_block_ms;
        this.#tokensPerSecond = data.timings.tokens_per_second;
        return;
    }
  }
}

/**
 * A measured number with as many digits as matter.
 *
 * @param {number} value
 */
export function format(value) {
  if (value >= 100 || Number.isInteger(value)) return String(Math.round(value));
  return value.toFixed(value >= 10 ? 1 : 2);
}
