import {
  activate,
  activateBackward,
  addBiasGradient,
  addWeightGradient,
  type Attended,
  attention,
  attentionBackward,
  type Conditions,
  type Dropout,
  gatedResidual,
  gatedResidualBackward,
  gateGradient,
  layerNorm,
  layerNormBackward,
  type Normalized,
  project,
  projectBackward,
  rotate,
  type Segments,
  type Streams,
} from "../../kernels/training/mod.ts";
import type { Pass, Tensor } from "../gpu/mod.ts";
import type { Kept, Parameter } from "./parameters.ts";

/** Added to the variance before the root. Source: kuleshov-group/bd3lms, `modeling_bd3lm.py`. */
export const EPSILON = 1e-5;

/** Parameters of one transformer block. */
export interface LayerParameters {
  readonly norm1: Parameter;
  readonly qkv: Parameter;
  readonly attentionOut: Parameter;
  readonly norm2: Parameter;
  readonly up: Parameter;
  readonly upBias: Parameter;
  readonly down: Parameter;
  readonly downBias: Parameter;
}

/** What a block works with beside its input. */
export interface LayerScope {
  readonly parameters: LayerParameters;
  /** Which weights it reads. */
  readonly kept: Kept;
  readonly heads: number;
  readonly angles: Tensor;
  readonly streams: Streams;
  readonly conditions: Conditions;
  /** Takes the derivatives by the modulation. */
  readonly dModulation: Tensor;
  readonly rowSegments: Segments;
  /** Rows whose output is wanted, from the first on: all, or the noisy halves. */
  readonly asking: number;
  /** Dropout of the two branches. */
  readonly dropouts: readonly [Dropout | null, Dropout | null];
}

/** What a block leaves for its way back. */
export interface LayerTape extends Disposable {
  /** [asking, width] f32: what the block gives. */
  readonly y: Tensor;
  readonly norm1: Normalized;
  readonly qkv: Tensor;
  readonly attended: Attended;
  readonly attentionOut: Tensor;
  readonly middle: Tensor;
  readonly norm2: Normalized;
  readonly inner: Tensor;
  readonly activated: Tensor;
  readonly down: Tensor;
}

/**
 * Records one transformer block.
 *
 * @param x [rows, width] f32.
 * @returns All scratch of `pass`.
 */
export function forwardLayer(pass: Pass, x: Tensor, scope: LayerScope): LayerTape {
  const { parameters, kept, heads, angles, streams, conditions, asking, dropouts } = scope;
  const width = x.shape[1]!;
  const norm1 = layerNorm(pass, { x, ...firstNorm(scope, width), epsilon: EPSILON });
  const qkv = project(pass, { x: norm1.h, weight: parameters.qkv[kept] });
  rotate(pass, { qkv, angles, heads, direction: "forward" });
  const attended = attention(pass, { qkv, heads, streams, asking });
  const attentionOut = project(pass, { x: attended.o, weight: parameters.attentionOut[kept] });
  const middle = gatedResidual(pass, {
    ...{ x, update: attentionOut, conditions, gate: 2 * width, dropout: dropouts[0] },
  });
  const norm2 = layerNorm(pass, { x: middle, ...secondNorm(scope, width), epsilon: EPSILON });
  const inner = project(pass, {
    ...{ x: norm2.h, weight: parameters.up[kept], bias: parameters.upBias[kept] },
  });
  const activated = activate(pass, "gelu", inner);
  const down = project(pass, {
    ...{ x: activated, weight: parameters.down[kept], bias: parameters.downBias[kept] },
  });
  const y = gatedResidual(pass, {
    ...{ x: middle, update: down, conditions, gate: 5 * width, dropout: dropouts[1] },
  });
  const tape = { y, norm1, qkv, attended, attentionOut, middle, norm2, inner, activated, down };
  return {
    ...tape,
    [Symbol.dispose]: () => Object.values(tape).forEach((each) => each[Symbol.dispose]()),
  };
}

/**
 * Records the way back through a block, and adds to the gradients of its parameters.
 *
 * @param dx [rows, width] f32: the derivative by the block's output, zero in rows that did not ask;
 * becomes the one by its input `x`.
 */
export function backwardLayer(
  pass: Pass,
  { x, dx, tape }: { readonly x: Tensor; readonly dx: Tensor; readonly tape: LayerTape },
  scope: LayerScope,
): void {
  backwardPerceptron(pass, { dx, tape }, scope);
  const { parameters, kept, conditions, asking, dropouts, dModulation } = scope;
  const width = x.shape[1]!;
  const gating = { conditions, gate: 2 * width, dropout: dropouts[0] };
  const { attended, attentionOut, qkv, norm1 } = tape;
  gateGradient(pass, {
    ...{ dy: dx, update: attentionOut, rows: asking, dModulation, ...gating },
    segments: askingSegments(scope),
  });
  using dOut = gatedResidualBackward(pass, { dy: dx, rows: asking, ...gating });
  const { gradient } = parameters.attentionOut;
  addWeightGradient(pass, { dy: dOut, x: attended.o, gradient });
  using dO = projectBackward(pass, { dy: dOut, weight: parameters.attentionOut[kept] });
  const { heads, streams, angles } = scope;
  using dQkv = attentionBackward(pass, { qkv, heads, streams, asking, ...attended, dO });
  rotate(pass, { qkv: dQkv, angles, heads, direction: "backward" });
  addWeightGradient(pass, { dy: dQkv, x: norm1.h, gradient: parameters.qkv.gradient });
  using dh = projectBackward(pass, { dy: dQkv, weight: parameters.qkv[kept] });
  layerNormBackward(pass, {
    ...{ dh, x, statistics: norm1.statistics, dx, dModulation, segments: scope.rowSegments },
    ...firstNorm(scope, width),
    gainGradient: parameters.norm1.gradient,
  });
}

function backwardPerceptron(
  pass: Pass,
  { dx, tape }: { dx: Tensor; tape: LayerTape },
  scope: LayerScope,
): void {
  const { parameters, kept, conditions, asking, dropouts, dModulation } = scope;
  const { middle, norm2, inner, activated, down } = tape;
  const width = dx.shape[1]!;
  const segments = askingSegments(scope);
  const gating = { conditions, gate: 5 * width, dropout: dropouts[1] };
  gateGradient(pass, { dy: dx, update: down, rows: asking, segments, dModulation, ...gating });
  using dDown = gatedResidualBackward(pass, { dy: dx, rows: asking, ...gating });
  addWeightGradient(pass, { dy: dDown, x: activated, gradient: parameters.down.gradient });
  const sums = { rows: asking, segments };
  addBiasGradient(pass, { dy: dDown, gradient: parameters.downBias.gradient, ...sums });
  using dInner = projectBackward(pass, { dy: dDown, weight: parameters.down[kept] });
  activateBackward(pass, "gelu", { x: inner, dy: dInner });
  addWeightGradient(pass, { dy: dInner, x: norm2.h, gradient: parameters.up.gradient });
  addBiasGradient(pass, { dy: dInner, gradient: parameters.upBias.gradient, ...sums });
  using dh = projectBackward(pass, { dy: dInner, weight: parameters.up[kept] });
  layerNormBackward(pass, {
    ...{ dh, x: middle, statistics: norm2.statistics, dx, dModulation, segments },
    ...secondNorm(scope, width),
    gainGradient: parameters.norm2.gradient,
  });
}

// Of the modulation, first come shift, scale and gate of attention, then those of the MLP.
function firstNorm({ parameters, kept, conditions }: LayerScope, width: number) {
  return { gain: parameters.norm1[kept], conditions, shift: 0, scale: width };
}

function secondNorm({ parameters, kept, conditions, asking }: LayerScope, width: number) {
  const gain = parameters.norm2[kept];
  return { gain, conditions, shift: 3 * width, scale: 4 * width, rows: asking };
}

function askingSegments({ rowSegments, streams: { length }, asking }: LayerScope): Segments {
  return { starts: rowSegments.starts, segments: asking / length };
}
