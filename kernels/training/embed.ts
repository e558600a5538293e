import { defineKernel, type Pass, type Tensor } from "../../src/gpu/mod.ts";
import source from "./embed.wgsl" with { type: "text" };
import backwardSource from "./embed_backward.wgsl" with { type: "text" };

const forward = defineKernel("embed", source);
const backward = defineKernel("embed_backward", backwardSource);

/**
 * Records the rows of `table` [vocabulary, width] that the first `rows` of `tokens` name.
 *
 * @returns [rows, width] f32, scratch of `pass`.
 */
export function embed(
  pass: Pass,
  { tokens, rows, table }: {
    readonly tokens: Tensor;
    readonly rows: number;
    readonly table: Tensor;
  },
): Tensor {
  const width = table.shape[1]!;
  const x = pass.scratch("embed", [rows, width]);
  pass.dispatch(forward, {
    tensors: { tokens, table, x },
    constants: { WIDTH4: width / 4 },
    workgroups: [Math.ceil(width / 256), rows],
  });
  return x;
}

/** Rows of a pass by their tokens. */
export interface TokenUses {
  /** Three words for every token that occurs: see `embed_backward.wgsl`. */
  readonly uses: Uint32Array<ArrayBuffer>;
  /** Rows, sorted by token. */
  readonly order: Uint32Array<ArrayBuffer>;
}

/** Sorts the rows of a pass by their tokens. */
export function sortByToken(tokens: ArrayLike<number>, vocabulary: number): TokenUses {
  const ends = new Uint32Array(vocabulary);
  for (let row = 0; row < tokens.length; row++) ends[tokens[row]!]!++;
  const uses: number[] = [];
  let first = 0;
  for (let token = 0; token < vocabulary; token++) {
    const count = ends[token]!; // In the vocabulary.
    if (count > 0) uses.push(token, first, first + count);
    ends[token] = first;
    first += count;
  }
  const order = new Uint32Array(tokens.length);
  for (let row = 0; row < tokens.length; row++) order[ends[tokens[row]!]!++] = row;
  return { uses: Uint32Array.from(uses), order };
}

/** Records gradient += the rows of `dx`, each to its token's. */
export function embedBackward(
  pass: Pass,
  { dx, uses, order, tokens, gradient }: {
    /** [rows, width] f32. */
    readonly dx: Tensor;
    /** {@linkcode TokenUses} on the device. */
    readonly uses: Tensor;
    readonly order: Tensor;
    /** How many tokens occur. */
    readonly tokens: number;
    readonly gradient: Tensor;
  },
): void {
  const width = dx.shape[1]!;
  pass.dispatch(backward, {
    tensors: { uses, order, dx, gradient },
    constants: { WIDTH4: width / 4 },
    workgroups: [Math.ceil(width / 32), tokens],
  });
}
