import { defineKernel, type Pass, type Tensor } from "../../src/gpu/mod.ts";
import random from "../random.wgsl" with { type: "text" };
import conditionSource from "./conditions.wgsl" with { type: "text" };
import { conditionParams, type Conditions, widthConstants } from "./conditions.ts";
import dropoutSource from "./dropout.wgsl" with { type: "text" };
import source from "./gated_residual.wgsl" with { type: "text" };

const kernel = defineKernel("gated_residual", source, conditionSource, dropoutSource, random);

/** Which values are dropped: a function of all of this. */
export interface Dropout {
  /** In [0, 1): share of values that are dropped. */
  readonly rate: number;
  /** In [0, 2^53). */
  readonly seed: number;
  /** Counts passes: no two with the same values. */
  readonly step: number;
  /** Below 2048: where in the network. */
  readonly site: number;
}

/** Params of `dropout.wgsl`. */
export function dropoutParams(dropout: Dropout | null): Record<string, number> {
  const { rate = 0, seed = 0, step = 0, site = 0 } = dropout ?? {};
  return {
    threshold: Math.round(rate * 65_536),
    keep_scale: 1 / (1 - rate),
    seed_low: seed % 2 ** 32,
    seed_high: Math.floor(seed / 2 ** 32),
    ...{ step, site },
  };
}

/** Where the gate is and what is dropped. */
export interface Gating {
  readonly conditions: Conditions;
  /** First column of the gate. */
  readonly gate: number;
  readonly dropout: Dropout | null;
}

/** Records x + gate · dropout(update), as many rows as `update` has: scratch of `pass`. */
export function gatedResidual(
  pass: Pass,
  { x, update, ...gating }: Gating & { readonly x: Tensor; readonly update: Tensor },
): Tensor {
  return record(pass, { x, update, gating, isBackward: false });
}

/** Records the derivative by the update, gate · dropout(dy), for `rows` rows: scratch of `pass`. */
export function gatedResidualBackward(
  pass: Pass,
  { dy, rows, ...gating }: Gating & { readonly dy: Tensor; readonly rows: number },
): Tensor {
  return record(pass, { x: dy, update: dy, gating, isBackward: true, rows });
}

function record(
  pass: Pass,
  { x, update, gating: { conditions, gate, dropout }, isBackward, rows = update.shape[0]! }: {
    x: Tensor;
    update: Tensor;
    gating: Gating;
    isBackward: boolean;
    rows?: number;
  },
): Tensor {
  const width = update.shape[1]!;
  const y = pass.scratch("gated_residual", [rows, width]);
  pass.dispatch(kernel, {
    tensors: { x, update, modulation: conditions.modulation, y },
    constants: widthConstants(width, conditions),
    params: {
      gate,
      is_backward: isBackward ? 1 : 0,
      ...conditionParams(conditions),
      ...dropoutParams(dropout),
    },
    workgroups: [Math.ceil(width / 256), rows],
  });
  return y;
}
