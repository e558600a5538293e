import { expectShape, type Pass, type Tensor } from "../src/gpu/mod.ts";
import type { LinearPart, LinearWeight } from "../src/weights/formats.ts";
import type { PagedCache } from "./attention.ts";
import { modulationStride } from "./layer_norm.ts";
import {
  chooseLinear,
  type EpilogueName,
  linearKernel,
  type LinearVariant,
  slicesOf,
} from "./linear_variants.ts";
import { NEAR_POSITIONS, type RotaryTables } from "./rotary.ts";

/** Adds the result, times a gate, to a tensor: in place, or for the rows of heads. */
export interface GatedResidual {
  readonly type: "gated";
  /** [rows, outputs] f32, read; and written, unless the rows of `x` are those of heads. */
  readonly into: Tensor;
  /** Rows of the pass: their condition picks the gate. */
  readonly rows: Tensor;
  /** [conditions, width] f32. */
  readonly modulation: Tensor;
  /** First column of the gate in `modulation`. */
  readonly gate: number;
  /**
   * Where the rows of `x` are those of heads: the table of heads, and whether `into` has one row per
   * head already, or still all of the pass, and the result is a tensor of its own.
   */
  readonly heads?: { readonly table: Tensor; readonly isGathered: boolean };
}

/** Takes the columns for q, k and v: rotates q and k, and stores k and v in the cache. */
export interface RopeStore {
  readonly type: "rope_store";
  /** Rows of the pass: their position and slot. */
  readonly rows: Tensor;
  readonly cache: PagedCache;
  readonly rotary: RotaryTables;
}

/** Operands of {@linkcode linear}. */
export interface Linear {
  /** [rows, inputs] f32. */
  readonly x: Tensor;
  readonly weight: LinearWeight;
  /** Live rows and heads of the pass. */
  readonly counts: Tensor;
  /** Which of the counts bounds the rows of `x`; `rows` where left out. */
  readonly counted?: "rows" | "heads";
  /** Rows of `x` to pass over, and how many follow; all where left out. */
  readonly part?: { readonly skip: number; readonly rows: number };
  readonly epilogue?: "none" | "gelu" | "silu" | GatedResidual | RopeStore;
}

/** What an epilogue brings to the dispatch. */
interface Epilogue {
  readonly name: EpilogueName;
  readonly y: Tensor;
  readonly tensors?: Readonly<Record<string, Tensor>>;
  readonly constants?: Readonly<Record<string, number>>;
  readonly params?: Readonly<Partial<typeof NO_PARAMS>>;
}

/** Params of epilogues, where one has no use for them. */
const NO_PARAMS = { activation: 0, modulation: 0, gate: 0, gathers: 0 };

/** Numbers of the activations in activation.wgsl. */
const ACTIVATIONS = { none: 0, gelu: 1, silu: 2 } as const;

/**
 * Records y = epilogue(x Wᵀ + bias) for the live rows.
 *
 * @returns [rows, outputs] f32, scratch of `pass`; the residual itself with a gated one in place;
 * rotated q, [rows, heads · head] f32, scratch of `pass`, with a rotation.
 * @throws {TypeError} If `x` is not as wide as the weight's inputs, or the result not as wide as what
 * the epilogue takes.
 */
export function linear(pass: Pass, operands: Linear): Tensor {
  const rows = operands.part?.rows ?? operands.x.shape[0]!;
  return linearBy(pass, operands, chooseLinear(pass.gpu, rows));
}

/** Records what {@linkcode linear} does, by one of the device's variants. */
export function linearBy(pass: Pass, operands: Linear, variant: LinearVariant): Tensor {
  const { x, weight, counts, counted = "rows" } = operands;
  const [bound = 0] = x.shape;
  expectShape(x, [bound, weight.inputs]);
  const { skip, rows } = operands.part ?? { skip: 0, rows: bound };
  const { name, y, tensors, constants, params } = openEpilogue(pass, operands, rows);
  const { deviceClass } = pass.gpu;
  const kernel = linearKernel(variant, { format: weight.format, epilogue: name });
  const slices = slicesOf(deviceClass, weight.outputs);
  for (const part of weight.parts) {
    pass.dispatch(kernel, {
      tensors: { x, counts, y, ...tensorsOf(part), ...tensors },
      constants: {
        ...(variant.name === "linear_split" && { SLICES: slices }),
        ...constants,
      },
      params: {
        k: weight.inputs,
        tiles: part.outputs / 32,
        first: part.first,
        stride: weight.outputs,
        skip,
        rows,
        counted: counted === "rows" ? 0 : 1,
        slice: Math.ceil(weight.inputs / 8 / slices),
        ...NO_PARAMS,
        ...params,
      },
      workgroups: [Math.ceil(rows / variant.rows), Math.ceil(part.outputs / variant.columns)],
    });
  }
  return y;
}

function tensorsOf({ weight, bias, scale }: LinearPart): Record<string, Tensor> {
  return { weight, bias, ...(scale && { scale }) };
}

function openEpilogue(pass: Pass, { weight, epilogue = "none" }: Linear, rows: number): Epilogue {
  const { outputs } = weight;
  if (typeof epilogue === "string") {
    const y = pass.scratch("linear", [rows, outputs]);
    return { name: "activation", y, params: { activation: ACTIVATIONS[epilogue] } };
  }
  return epilogue.type === "gated"
    ? openResidual(pass, epilogue, [rows, outputs])
    : openRopeStore(pass, epilogue, [rows, outputs]);
}

function openResidual(pass: Pass, epilogue: GatedResidual, shape: readonly number[]): Epilogue {
  const { into, rows, modulation, gate, heads } = epilogue;
  const gathers = heads !== undefined && !heads.isGathered;
  expectShape(into, gathers ? [into.shape[0]!, shape[1]!] : shape);
  return {
    name: "gated",
    y: gathers ? pass.scratch("linear", shape) : into,
    tensors: {
      rows,
      modulation,
      // Bound and not read where y is added to itself, and where all rows are meant.
      residual: gathers ? into : modulation,
      heads: heads?.table ?? rows,
    },
    params: { modulation: modulationStride(modulation), gate, gathers: gathers ? 1 : 0 },
  };
}

function openRopeStore(
  pass: Pass,
  { rows, cache: { pages, k, v }, rotary }: RopeStore,
  [bound, outputs]: readonly number[],
): Epilogue {
  const [, heads = 0, page = 0, head = 0] = k.shape;
  if (outputs !== 3 * heads * head) {
    throw new TypeError(
      `Cannot store keys: q, k and v take ${outputs} columns, expected ${3 * heads * head}`,
    );
  }
  return {
    name: k.dtype === "f16" ? "rope_store_f16" : "rope_store_f32",
    y: pass.scratch("q", [bound!, heads * head]), // A shape of two.
    tensors: { rows, pages, near: rotary.near, far: rotary.far, k, v },
    constants: {
      HEADS: heads,
      HEAD: head,
      PAGE: page,
      TABLE: pages.shape[1]!,
      NEAR: NEAR_POSITIONS,
    },
  };
}
