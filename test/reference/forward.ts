/**
 * The steps of the network, one function per kernel, in plain loops and float64: to read and to
 * trust. Matrices are row-major; the width of a row is an argument where no operand implies it.
 */

/** Input of any precision; every result is float64. */
export type Numbers = ArrayLike<number>;

/** y[r, :] = table[tokens[r], :], with `table` [vocabulary, width]. */
export function embed(tokens: Numbers, table: Numbers, width: number): Float64Array {
  const y = new Float64Array(tokens.length * width);
  for (let i = 0; i < y.length; i++) {
    const token = tokens[Math.floor(i / width)]!;
    y[i] = table[token * width + i % width]!;
  }
  return y;
}

/**
 * y[r, c] = (x[r, c] − mean(x[r, :])) / sqrt(variance(x[r, :]) + epsilon), the population variance.
 *
 * Source: Ba et al. 2016, "Layer Normalization", eq. 3, without its gain and bias.
 */
export function layerNorm(
  x: Numbers,
  { width, epsilon = 1e-5 }: { width: number; epsilon?: number },
): Float64Array {
  const y = new Float64Array(x.length);
  for (let row = 0; row < x.length; row += width) {
    let sum = 0;
    for (let c = 0; c < width; c++) sum += x[row + c]!;
    const mean = sum / width;
    let squares = 0;
    for (let c = 0; c < width; c++) squares += (x[row + c]! - mean) ** 2;
    const deviation = Math.sqrt(squares / width + epsilon);
    for (let c = 0; c < width; c++) y[row + c] = (x[row + c]! - mean) / deviation;
  }
  return y;
}

/**
 * x / sqrt(mean(x²) + epsilon) · gain, each row of `gain.length` values by itself.
 */
export function rmsNorm(
  x: Numbers,
  { gain, epsilon }: { gain: Numbers; epsilon: number },
): Float64Array {
  const width = gain.length;
  const all = Array.from(x);
  return Float64Array.from(all, (value, i) => {
    const row = all.slice(i - i % width, i - i % width + width);
    const meanSquare = row.reduce((sum, each) => sum + each * each, 0) / width;
    return value / Math.sqrt(meanSquare + epsilon) * gain[i % width]!;
  });
}

/** y[r, c] = x[r, c] · gain[c] + shift[c]; no shift is zero. */
export function modulate(
  x: Numbers,
  { gain, shift }: { gain: Numbers; shift?: Numbers | undefined },
): Float64Array {
  const y = new Float64Array(x.length);
  for (let i = 0; i < x.length; i++) {
    const c = i % gain.length;
    y[i] = x[i]! * gain[c]! + (shift?.[c] ?? 0);
  }
  return y;
}

/** y[r, o] = Σ over i of x[r, i] · weight[o, i], plus bias[o]; a row of x is `width` long. */
export function linear(
  x: Numbers,
  weight: Numbers,
  { width, bias }: { width: number; bias?: Numbers | undefined },
): Float64Array {
  const rows = x.length / width;
  const outputs = weight.length / width;
  const y = new Float64Array(rows * outputs);
  for (let r = 0; r < rows; r++) {
    for (let o = 0; o < outputs; o++) {
      let sum = bias?.[o] ?? 0;
      for (let i = 0; i < width; i++) sum += x[r * width + i]! * weight[o * width + i]!;
      y[r * outputs + o] = sum;
    }
  }
  return y;
}

/** y[r, c] = x[r, c] + gate[c] · update[r, c]; no gate is one. */
export function addGated(x: Numbers, update: Numbers, gate?: Numbers): Float64Array {
  const y = new Float64Array(x.length);
  for (let i = 0; i < x.length; i++) {
    y[i] = x[i]! + (gate ? gate[i % gate.length]! : 1) * update[i]!;
  }
  return y;
}

/**
 * y = ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))).
 *
 * Source: Hendrycks & Gimpel 2016, "Gaussian Error Linear Units", section 2.
 */
export function geluTanh(x: Numbers): Float64Array {
  return Float64Array.from(x, (value) => {
    const inner = Math.sqrt(2 / Math.PI) * (value + 0.044715 * value ** 3);
    return 0.5 * value * (1 + Math.tanh(inner));
  });
}

/** y = x / (1 + e^−x). */
export function silu(x: Numbers): Float64Array {
  return Float64Array.from(x, (value) => value / (1 + Math.exp(-value)));
}

/**
 * The features of one noise level: cosines of sigma · f_i, then sines, with
 * f_i = exp(−ln(10000) i / (size/2)).
 *
 * Source: `TimestepEmbedder` of the official BD3-LM code, after GLIDE.
 */
export function timestepEmbedding(sigma: number, size = 256): Float64Array {
  const half = size / 2;
  const features = new Float64Array(size);
  for (let i = 0; i < half; i++) {
    const angle = sigma * Math.exp(-Math.log(10000) * i / half);
    features[i] = Math.cos(angle);
    features[half + i] = Math.sin(angle);
  }
  return features;
}

/** Cosines and sines of rotary angles, each [positions, headSize/2]. */
export interface RotaryTables {
  readonly cos: Float64Array;
  readonly sin: Float64Array;
}

/**
 * The tables for `positions`: angle = position · base^(−2i/headSize).
 *
 * Source: Su et al. 2021, "RoFormer", section 3.2.2.
 */
export function rotaryTables(
  positions: Numbers,
  { headSize, base = 10000 }: { headSize: number; base?: number },
): RotaryTables {
  const half = headSize / 2;
  const cos = new Float64Array(positions.length * half);
  const sin = new Float64Array(positions.length * half);
  for (let at = 0; at < cos.length; at++) {
    const frequency = base ** (-2 * (at % half) / headSize);
    const angle = positions[Math.floor(at / half)]! * frequency;
    cos[at] = Math.cos(angle);
    sin[at] = Math.sin(angle);
  }
  return { cos, sin };
}

/**
 * Rotates every head of x [rows, heads · headSize], row r by row r of the tables: component i turns
 * with component i + headSize/2, not with its neighbour.
 */
export function applyRotary(
  x: Numbers,
  { cos, sin, headSize }: RotaryTables & { headSize: number },
): Float64Array {
  const half = headSize / 2;
  const rows = cos.length / half;
  const width = x.length / rows;
  const y = new Float64Array(x.length);
  for (let row = 0; row < rows; row++) {
    for (let head = 0; head < width; head += headSize) {
      for (let i = 0; i < half; i++) {
        const first = row * width + head + i;
        const second = first + half;
        const c = cos[row * half + i]!;
        const s = sin[row * half + i]!;
        y[first] = x[first]! * c - x[second]! * s;
        y[second] = x[second]! * c + x[first]! * s;
      }
    }
  }
  return y;
}

/** Operands of {@linkcode attention}. */
export interface Attention {
  /** [queries, heads · headSize], rotated. */
  readonly q: Numbers;
  /** [keys, heads · headSize], rotated. */
  readonly k: Numbers;
  /** [keys, heads · headSize]. */
  readonly v: Numbers;
  readonly heads: number;
  readonly headSize: number;
  /** Whether row `query` of q sees row `key` of k. */
  readonly visible: (query: number, key: number) => boolean;
}

/**
 * softmax over the visible keys of q · k / √headSize, times v; heads side by side as in q.
 *
 * @throws {RangeError} If a query sees no key.
 */
export function attention({ q, k, v, heads, headSize, visible }: Attention): Float64Array {
  const width = heads * headSize;
  const queries = q.length / width;
  const keys = k.length / width;
  const y = new Float64Array(q.length);
  for (let query = 0; query < queries; query++) {
    const seen = Array.from({ length: keys }, (_, key) => key).filter((key) => visible(query, key));
    if (seen.length === 0) throw new RangeError(`Cannot attend: query ${query} sees no key`);
    for (let head = 0; head < width; head += headSize) {
      const scores = seen.map((key) => {
        let dot = 0;
        for (let i = 0; i < headSize; i++) {
          dot += q[query * width + head + i]! * k[key * width + head + i]!;
        }
        return dot / Math.sqrt(headSize);
      });
      softmax(scores).forEach((weight, at) => {
        for (let i = 0; i < headSize; i++) {
          y[query * width + head + i]! += weight * v[seen[at]! * width + head + i]!;
        }
      });
    }
  }
  return y;
}

/** p_i = e^x_i / Σ e^x_j over one row. */
export function softmax(x: Numbers): Float64Array {
  return logSoftmax(x).map(Math.exp);
}

/** ln p_i = x_i − ln Σ e^x_j over one row; the largest is taken out first, so none overflows. */
export function logSoftmax(x: Numbers): Float64Array {
  let largest = -Infinity;
  for (let i = 0; i < x.length; i++) largest = Math.max(largest, x[i]!);
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += Math.exp(x[i]! - largest);
  const logSum = largest + Math.log(sum);
  return Float64Array.from(x, (value) => value - logSum);
}

/**
 * Log-probabilities of x_0 given the noisy `tokens`: the mask is impossible, and a token that is
 * known stays (rows [tokens, vocabulary]). Impossible entries hold about −10⁶, whose exponential is
 * zero, as in the original.
 *
 * Source: Sahoo et al. 2024, "Simple and Effective Masked Diffusion Language Models", sec. 3.2.3.
 */
export function subsLogProbabilities(
  logits: Numbers,
  tokens: Numbers,
  { mask }: { mask: number },
): Float64Array {
  const vocabulary = logits.length / tokens.length;
  const result = new Float64Array(logits.length);
  for (let row = 0; row < tokens.length; row++) {
    const values = Float64Array.from(
      { length: vocabulary },
      (_, v) => logits[row * vocabulary + v]! - (v === mask ? 1e6 : 0),
    );
    const known = tokens[row]!;
    const logP = known === mask ? logSoftmax(values) : values.map((_, v) => v === known ? 0 : -1e6);
    result.set(logP, row * vocabulary);
  }
  return result;
}
