import { GROUP } from "./format.ts";

/** Largest of 4 bits. */
const MOST = 15;
/** Shares of the way from the least to the greatest weight that fits begin with. */
const STARTS = [1, 0.9];
/** How often a line is fitted anew at most, from each of them. */
const FITS = 3;

/**
 * Finds the line value ≈ scale · integer + offset of a group of weights, and rounds the weights by
 * it. It begins where the least and the greatest weight are the ends, or a little inside of them;
 * from there it is fitted to the rounded weights by least squares, as long as that helps. The line
 * that comes nearest wins.
 */
export class Int4Fit {
  /** Both are halves. */
  scale = 0;
  offset = 0;
  /** Of the weights, by the line. */
  readonly integers = new Uint8Array(GROUP);
  readonly #scratch = new Float16Array(1);
  #rows: Float32Array = new Float32Array();
  #begin = 0;
  /** Of the line tried last: sums of integers, of their squares, of their products with weights. */
  #sum = 0;
  #squares = 0;
  #product = 0;

  /** Fits the group that begins at an index of `rows`, of finite weights that halves can hold. */
  fit(rows: Float32Array, begin: number): void {
    [this.#rows, this.#begin] = [rows, begin];
    let [least, greatest, total] = [Infinity, -Infinity, 0];
    for (let i = begin; i < begin + GROUP; i++) {
      const weight = rows[i]!;
      if (weight < least) least = weight;
      if (weight > greatest) greatest = weight;
      total += weight;
    }
    let [bestScale, bestOffset, smallest] = [0, this.#half(total / GROUP), Infinity];
    for (const share of STARTS) {
      const cut = (greatest - least) * (1 - share) / 2;
      let scale = this.#half((greatest - least) * share / MOST);
      let offset = this.#half(least + cut);
      let last = Infinity;
      for (let fits = 0; scale > 0; fits++) {
        const error = this.#round(scale, offset) + offset * (GROUP * offset - 2 * total);
        if (error < smallest) [bestScale, bestOffset, smallest] = [scale, offset, error];
        const determinant = GROUP * this.#squares - this.#sum * this.#sum;
        if (fits === FITS || determinant === 0 || error >= last) break;
        last = error;
        const slope = (GROUP * this.#product - this.#sum * total) / determinant;
        scale = this.#half(slope);
        offset = this.#half((total - slope * this.#sum) / GROUP);
      }
    }
    [this.scale, this.offset] = [bestScale, bestOffset];
    this.#round(bestScale, bestOffset);
  }

  /** The nearest half, by a way that is quicker than `Math.f16round`. */
  #half(value: number): number {
    this.#scratch[0] = value;
    return this.#scratch[0];
  }

  /**
   * Rounds the weights by a line.
   *
   * @returns The squared error, but for what does not depend on the integers.
   */
  #round(scale: number, offset: number): number {
    const [rows, begin] = [this.#rows, this.#begin];
    const line = { offset, inverse: inverseOf(scale) };
    let [sum, squares, product] = [0, 0, 0];
    for (let i = 0; i < GROUP; i++) {
      const weight = rows[begin + i]!;
      const integer = nearestInteger(weight, line);
      this.integers[i] = integer;
      sum += integer;
      squares += integer * integer;
      product += integer * weight;
    }
    [this.#sum, this.#squares, this.#product] = [sum, squares, product];
    return scale * (scale * squares - 2 * product + 2 * offset * sum);
  }
}

/** What differences are multiplied by instead of a division by `scale`. */
export function inverseOf(scale: number): number {
  return scale === 0 ? 0 : 1 / scale;
}

/** The integer of the point of a line that is nearest to a weight. */
export function nearestInteger(
  weight: number,
  { offset, inverse }: { readonly offset: number; readonly inverse: number },
): number {
  const place = (weight - offset) * inverse + 0.5;
  return place < 1 ? 0 : place >= MOST ? MOST : place | 0;
}
