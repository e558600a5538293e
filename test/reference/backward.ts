/**
 * What `forward.ts` does, backwards: from the derivative of a loss by the result of a step to those
 * by its operands, in plain loops and float64. `dy` is the derivative by y; results are named after
 * the operand that they are the derivative by.
 */
import {
  applyRotary,
  type Attention,
  layerNorm,
  type Numbers,
  type RotaryTables,
  softmax,
} from "./forward.ts";

/** Of `embed`: [vocabulary, width]. */
export function embedBackward(
  dy: Numbers,
  tokens: Numbers,
  { vocabulary, width }: { vocabulary: number; width: number },
): Float64Array {
  const table = new Float64Array(vocabulary * width);
  for (let i = 0; i < dy.length; i++) {
    table[tokens[Math.floor(i / width)]! * width + i % width]! += dy[i]!;
  }
  return table;
}

/** Of `layerNorm`: dx = (dy − mean(dy) − y mean(dy · y)) / deviation, row by row. */
export function layerNormBackward(
  dy: Numbers,
  x: Numbers,
  { width, epsilon = 1e-5 }: { width: number; epsilon?: number },
): Float64Array {
  const y = layerNorm(x, { width, epsilon });
  const dx = new Float64Array(x.length);
  for (let row = 0; row < x.length; row += width) {
    let [sum, squares, mean, product] = [0, 0, 0, 0];
    for (let i = row; i < row + width; i++) sum += x[i]!;
    for (let i = row; i < row + width; i++) squares += (x[i]! - sum / width) ** 2;
    for (let i = row; i < row + width; i++) mean += dy[i]! / width;
    for (let i = row; i < row + width; i++) product += dy[i]! * y[i]! / width;
    const deviation = Math.sqrt(squares / width + epsilon);
    for (let i = row; i < row + width; i++) dx[i] = (dy[i]! - mean - y[i]! * product) / deviation;
  }
  return dx;
}

/** Of `modulate`. */
export function modulateBackward(
  dy: Numbers,
  x: Numbers,
  gainOf: Numbers,
): { x: Float64Array; gain: Float64Array; shift: Float64Array } {
  const dx = new Float64Array(x.length);
  const gain = new Float64Array(gainOf.length);
  const shift = new Float64Array(gainOf.length);
  for (let i = 0; i < x.length; i++) {
    const c = i % gain.length;
    dx[i] = dy[i]! * gainOf[c]!;
    gain[c]! += dy[i]! * x[i]!;
    shift[c]! += dy[i]!;
  }
  return { x: dx, gain, shift };
}

/** Of `linear`. */
export function linearBackward(
  dy: Numbers,
  x: Numbers,
  { weight, width }: { weight: Numbers; width: number },
): { x: Float64Array; weight: Float64Array; bias: Float64Array } {
  const outputs = weight.length / width;
  const rows = x.length / width;
  const dx = new Float64Array(x.length);
  const dWeight = new Float64Array(weight.length);
  const bias = new Float64Array(outputs);
  for (let r = 0; r < rows; r++) {
    for (let o = 0; o < outputs; o++) {
      const d = dy[r * outputs + o]!;
      if (d === 0) continue;
      bias[o]! += d;
      for (let i = 0; i < width; i++) {
        dx[r * width + i]! += d * weight[o * width + i]!;
        dWeight[o * width + i]! += d * x[r * width + i]!;
      }
    }
  }
  return { x: dx, weight: dWeight, bias };
}

/** Of `addGated`, but for x, whose derivative is `dy`. */
export function addGatedBackward(
  dy: Numbers,
  updateOf: Numbers,
  gateOf?: Numbers,
): { update: Float64Array; gate: Float64Array } {
  const width = gateOf?.length ?? 1;
  const update = new Float64Array(dy.length);
  const gate = new Float64Array(width);
  for (let i = 0; i < dy.length; i++) {
    update[i] = dy[i]! * (gateOf ? gateOf[i % width]! : 1);
    gate[i % width]! += dy[i]! * updateOf[i]!;
  }
  return { update, gate };
}

/** Of `geluTanh`. */
export function geluTanhBackward(dy: Numbers, x: Numbers): Float64Array {
  const root = Math.sqrt(2 / Math.PI);
  return Float64Array.from(dy, (d, i) => {
    const value = x[i]!;
    const tanh = Math.tanh(root * (value + 0.044715 * value ** 3));
    const inner = root * (1 + 3 * 0.044715 * value ** 2);
    return d * (0.5 * (1 + tanh) + 0.5 * value * (1 - tanh ** 2) * inner);
  });
}

/** Of `silu`. */
export function siluBackward(dy: Numbers, x: Numbers): Float64Array {
  return Float64Array.from(dy, (d, i) => {
    const sigmoid = 1 / (1 + Math.exp(-x[i]!));
    return d * sigmoid * (1 + x[i]! * (1 - sigmoid));
  });
}

/** Of `applyRotary`: a rotation by the opposite angle. */
export function applyRotaryBackward(
  dy: Numbers,
  { cos, sin, headSize }: RotaryTables & { headSize: number },
): Float64Array {
  return applyRotary(dy, { cos, sin: sin.map((each) => -each), headSize });
}

/** Of `attention`. */
export function attentionBackward(
  dy: Numbers,
  { q, k, v, heads, headSize, visible }: Attention,
): { q: Float64Array; k: Float64Array; v: Float64Array } {
  const width = heads * headSize;
  const keys = Array.from({ length: k.length / width }, (_, key) => key);
  const [dq, dk, dv] = [q, k, v].map((each) => new Float64Array(each.length));
  const dot = (a: Numbers, atA: number, [b, atB]: readonly [Numbers, number]) => {
    let sum = 0;
    for (let i = 0; i < headSize; i++) sum += a[atA + i]! * b[atB + i]!;
    return sum;
  };
  for (let query = 0; query < q.length / width; query++) {
    const seen = keys.filter((key) => visible(query, key));
    for (let head = 0; head < width; head += headSize) {
      const at = query * width + head;
      const placeOf = (key: number) => key * width + head;
      const scale = 1 / Math.sqrt(headSize);
      const weights = softmax(seen.map((key) => dot(q, at, [k, placeOf(key)]) * scale));
      const dWeights = seen.map((key) => dot(dy, at, [v, placeOf(key)]));
      const mean = weights.reduce((sum, weight, j) => sum + weight * dWeights[j]!, 0);
      seen.forEach((key, j) => {
        const dScore = weights[j]! * (dWeights[j]! - mean) * scale;
        for (let i = 0; i < headSize; i++) {
          dv![placeOf(key) + i]! += weights[j]! * dy[at + i]!;
          dk![placeOf(key) + i]! += dScore * q[at + i]!;
          dq![at + i]! += dScore * k[placeOf(key) + i]!;
        }
      });
    }
  }
  return { q: dq!, k: dk!, v: dv! };
}

/**
 * Σ over rows of weight · −ln p(token), and its derivative by the logits [rows, vocabulary]. The
 * mask has no probability; a row of weight 0 counts nothing.
 *
 * Source: Sahoo et al. 2024, "Simple and Effective Masked Diffusion Language Models", eq. 10.
 */
export function crossEntropy(
  logits: Numbers,
  { tokens, weights, mask }: { tokens: Numbers; weights: Numbers; mask: number },
): { loss: number; logits: Float64Array } {
  const vocabulary = logits.length / tokens.length;
  const dLogits = new Float64Array(logits.length);
  let loss = 0;
  for (let row = 0; row < tokens.length; row++) {
    if (weights[row] === 0) continue;
    const own = Array.from({ length: vocabulary }, (_, v) => logits[row * vocabulary + v]!);
    own[mask] = -Infinity;
    const p = softmax(own);
    loss -= weights[row]! * Math.log(p[tokens[row]!]!);
    for (let v = 0; v < vocabulary; v++) {
      const isToken = v === tokens[row] ? 1 : 0;
      dLogits[row * vocabulary + v] = weights[row]! * (p[v]! - isToken);
    }
  }
  return { loss, logits: dLogits };
}
