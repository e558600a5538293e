import {
  defineKernel,
  expectShape,
  type Kernel,
  type Pass,
  type Tensor,
} from "../../src/gpu/mod.ts";
import { HEAD_SIZES, paddedHeadSize } from "../head_sizes.ts";
import octetFields from "../octet.wgsl" with { type: "text" };
import octetPairs from "../octet_pairs.wgsl" with { type: "text" };
import forward from "./attention.wgsl" with { type: "text" };
import keys from "./attention_keys.wgsl" with { type: "text" };
import queries from "./attention_queries.wgsl" with { type: "text" };
import direct from "./lane_shares/direct.wgsl" with { type: "text" };
import subgroup from "./lane_shares/subgroup.wgsl" with { type: "text" };
import twoStream from "./two_stream.wgsl" with { type: "text" };

/** How rows lie in the tensors of a pass: see `two_stream.wgsl`. */
export interface Streams {
  readonly sequences: number;
  /** Positions of a sequence: a multiple of 8, and of `blockSize`. */
  readonly length: number;
  readonly blockSize: number;
  /** 2 for x_t and x_0, 1 for x_t alone. */
  readonly streams: 1 | 2;
}

/** How the lanes of a workgroup come by rows that all of them need. */
export type Sharing = "subgroup" | "direct";

/** Operands of {@linkcode attention}. */
export interface Attention {
  /** [rows, 3 · heads · headSize] f32: q and k rotated. */
  readonly qkv: Tensor;
  readonly heads: number;
  readonly streams: Streams;
  /** Rows that ask, from the first on: all, or the noisy halves. */
  readonly asking: number;
}

/** What attention gives, and its way back needs. */
export interface Attended extends Disposable {
  /** [asking, heads · headSize] f32. */
  readonly o: Tensor;
  /** [asking, heads] f32. */
  readonly logsumexp: Tensor;
}

const SOURCES = { attention: forward, attention_queries: queries, attention_keys: keys };
const SHARES: Readonly<Record<Sharing, string>> = { subgroup, direct };
const kernels = new Map<string, Kernel>();

/**
 * Records the attention of rows [x_t, x_0].
 *
 * @returns Scratch of `pass`.
 * @throws {TypeError} If heads are no whole octets, or a sequence is.
 */
export function attention(pass: Pass, operands: Attention, sharing = sharingOf(pass)): Attended {
  const { qkv, heads, asking } = operands;
  const headSize = headSizeOf(operands);
  const lanes = lanesOf(operands, sharing);
  const o = pass.scratch("attention", [asking, heads * headSize]);
  const logsumexp = pass.scratch("logsumexp", [asking, heads]);
  pass.dispatch(kernelOf("attention", headSize, sharing), {
    tensors: { qkv, o, logsumexp },
    ...setting(operands, { headSize, lanes }),
    workgroups: [asking / lanes, heads],
  });
  return {
    o,
    logsumexp,
    [Symbol.dispose]: () => [o, logsumexp].forEach((each) => each[Symbol.dispose]()),
  };
}

/**
 * Records the way back through {@linkcode attention}.
 *
 * @returns The derivative by `qkv`, scratch of `pass`.
 */
export function attentionBackward(
  pass: Pass,
  operands: Attention & Pick<Attended, "o" | "logsumexp"> & {
    /** [asking, heads · headSize] f32. */
    readonly dO: Tensor;
  },
  sharing = sharingOf(pass),
): Tensor {
  const { qkv, heads, asking, o, logsumexp, dO: d_o } = operands;
  const headSize = headSizeOf(operands);
  expectShape(d_o, [asking, heads * headSize]);
  const d_qkv = pass.scratch("attention_backward", qkv.shape);
  using delta = pass.scratch("delta", [asking, heads]);
  const lanes = lanesOf(operands, sharing);
  const workgroups = [qkv.shape[0]! / lanes, heads];
  pass.dispatch(kernelOf("attention_queries", headSize, sharing), {
    tensors: { qkv, d_o, o, logsumexp, delta, d_qkv },
    ...setting(operands, { headSize, lanes }),
    workgroups,
  });
  pass.dispatch(kernelOf("attention_keys", headSize, sharing), {
    tensors: { qkv, d_o, logsumexp, delta, d_qkv },
    ...setting(operands, { headSize, lanes }),
    workgroups,
  });
  return d_qkv;
}

/** Rows of a workgroup: those of one subgroup, or as many as a GPU runs at a time where they fit. */
function lanesOf({ streams: { length } }: Attention, sharing: Sharing): number {
  return sharing === "direct" && length % 32 === 0 ? 32 : 8;
}

function setting(
  { heads, streams, asking }: Attention,
  { headSize, lanes }: { readonly headSize: number; readonly lanes: number },
) {
  const { sequences, length, blockSize } = streams;
  return {
    constants: {
      ...{ HEADS: heads, LANES: lanes },
      ...{ OCTETS: headSize / 8, SCALE: 1 / Math.sqrt(headSize) },
    },
    params: { sequences, length, block: blockSize, streams: streams.streams, asking },
  };
}

function headSizeOf({ qkv, heads, streams: { sequences, length, streams } }: Attention): number {
  const headSize = qkv.shape[1]! / 3 / heads;
  expectShape(qkv, [sequences * length * streams, 3 * heads * headSize]);
  if (headSize % 8 === 0 && length % 8 === 0) return headSize;
  throw new TypeError(
    `Cannot attend: heads of ${headSize} at ${length} positions, expected multiples of 8`,
  );
}

function sharingOf({ gpu: { deviceClass } }: Pass): Sharing {
  return deviceClass === "cpu with subgroups" ? "subgroup" : "direct";
}

function kernelOf(name: keyof typeof SOURCES, headSize: number, sharing: Sharing): Kernel {
  const padded = paddedHeadSize(headSize);
  const key = [name, padded, sharing].join();
  const kernel = kernels.get(key) ??
    defineKernel(
      name,
      SOURCES[name],
      twoStream,
      octetFields,
      HEAD_SIZES[padded]!,
      octetPairs,
      SHARES[sharing],
    );
  kernels.set(key, kernel);
  return kernel;
}
