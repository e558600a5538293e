import { expectShape, type Pass, type Tensor } from "../src/gpu/mod.ts";
import type { LinearPart, LinearWeight } from "../src/weights/formats.ts";
import { modulationStride } from "./layer_norm.ts";
import {
  chooseLinear,
  type EpilogueName,
  linearKernel,
  type LinearVariant,
  slicesOf,
} from "./linear_variants.ts";
import { type RopeStore, ropeStoreOperands } from "./rope_store.ts";

/** Adds the result to a tensor: in place, or for the rows of heads. */
export interface Residual {
  readonly type: "residual";
  /** [rows, outputs] f32, read; and written, unless the rows of `x` are those of heads. */
  readonly into: Tensor;
  /** Rows of the pass. */
  readonly rows: Tensor;
  /**
   * Where the rows of `x` are those of heads: the table of heads, and whether `into` has one row per
   * head already, or still all of the pass, and the result is a tensor of its own.
   */
  readonly heads?: { readonly table: Tensor; readonly isGathered: boolean };
}

/** Adds the result times a gate, which the condition of a row picks. */
export interface GatedResidual extends Omit<Residual, "type"> {
  readonly type: "gated";
  /** [conditions, width] f32. */
  readonly modulation: Tensor;
  /** First column of the gate in `modulation`. */
  readonly gate: number;
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
  /** `swiglu` takes every two columns for a gate and what it lets through, and gives one. */
  readonly epilogue?:
    | "none"
    | "gelu"
    | "silu"
    | "swiglu"
    | Residual
    | GatedResidual
    | RopeStore & { readonly type: "rope_store" };
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
const NO_PARAMS = { modulation: 0, gate: 0, gathers: 0 };

/**
 * Records y = epilogue(x Wᵀ + bias) for the live rows.
 *
 * @returns [rows, outputs] f32, scratch of `pass`, or half as wide with `swiglu`; the residual itself
 * with one in place; rotated q, [rows, heads · head] f32, scratch of `pass`, with a rotation.
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
  const kernel = linearKernel(variant, { ...weight, epilogue: name });
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
  const shape: Shape = [rows, weight.outputs];
  if (epilogue === "swiglu") {
    return { name: epilogue, y: pass.scratch("linear", [rows, weight.outputs / 2]) };
  }
  if (typeof epilogue === "string") {
    return { name: epilogue, y: pass.scratch("linear", shape) };
  }
  switch (epilogue.type) {
    case "residual":
      return openResidual(pass, epilogue, shape);
    case "gated":
      return openGatedResidual(pass, epilogue, shape);
    case "rope_store":
      return openRopeStore(pass, epilogue, shape);
  }
}

type Shape = readonly [rows: number, outputs: number];

function openResidual(pass: Pass, epilogue: Residual | GatedResidual, shape: Shape): Epilogue {
  const { into, rows, heads } = epilogue;
  const gathers = heads !== undefined && !heads.isGathered;
  expectShape(into, gathers ? [into.shape[0]!, shape[1]] : shape);
  return {
    name: "residual",
    y: gathers ? pass.scratch("linear", shape) : into,
    // Bound and not read where y is added to itself, and where all rows are meant.
    tensors: { residual: gathers ? into : rows, heads: heads?.table ?? rows },
    params: { gathers: gathers ? 1 : 0 },
  };
}

function openGatedResidual(pass: Pass, epilogue: GatedResidual, shape: Shape): Epilogue {
  const { rows, modulation, gate } = epilogue;
  const plain = openResidual(pass, epilogue, shape);
  return {
    name: "gated",
    y: plain.y,
    tensors: { ...plain.tensors, rows, modulation },
    params: { ...plain.params, modulation: modulationStride(modulation), gate },
  };
}

function openRopeStore(pass: Pass, epilogue: RopeStore, [bound, outputs]: Shape): Epilogue {
  const { format, heads, head, tensors, constants } = ropeStoreOperands(epilogue, outputs);
  return {
    name: `rope_store_${format}`,
    y: pass.scratch("q", [bound, heads * head]),
    tensors,
    constants,
  };
}
