import {
  defineKernel,
  type DeviceClass,
  expectShape,
  type Kernel,
  type Pass,
  type Tensor,
} from "../src/gpu/mod.ts";
import portable from "./attention.wgsl" with { type: "text" };
import narrow from "./attention_loads/narrow.wgsl" with { type: "text" };
import wide from "./attention_loads/wide.wgsl" with { type: "text" };
import mergeSource from "./attention_merge.wgsl" with { type: "text" };
import operandFields from "./attention_operands.wgsl" with { type: "text" };
import rowsInRegisters from "./attention_rows.wgsl" with { type: "text" };
import subgroup from "./attention_subgroup.wgsl" with { type: "text" };
import workgroup from "./attention_workgroup.wgsl" with { type: "text" };
import counted from "./counted.wgsl" with { type: "text" };
import f16Load from "./cache_formats/f16_load.wgsl" with { type: "text" };
import f16LoadWide from "./cache_formats/f16_load_wide.wgsl" with { type: "text" };
import f32Load from "./cache_formats/f32_load.wgsl" with { type: "text" };
import f32LoadWide from "./cache_formats/f32_load_wide.wgsl" with { type: "text" };
import { HEAD_SIZES } from "./head_sizes.ts";
import fromLane from "./from_lane.wgsl" with { type: "text" };
import headFields from "./heads.wgsl" with { type: "text" };
import octetFields from "./octet.wgsl" with { type: "text" };
import octetPairs from "./octet_pairs.wgsl" with { type: "text" };
import picks from "./picks.wgsl" with { type: "text" };
import rowFields from "./rows.wgsl" with { type: "text" };
import wideLoads from "./wide_loads.wgsl" with { type: "text" };

const LANES = 8;
/** Positions that the cache keeps together. */
const PANEL = 8;
/** Keys of one rescaling: KEYS of attention_operands.wgsl. */
const KEYS = 4;
/** Keys of a slice on a GPU, or a multiple where there would be more slices than pay. */
const GPU_SLICE = 1024;
const MOST_GPU_SLICES = 8;
/** Keys for which slices would save a GPU less than merging them costs. */
const UNSLICED_KEYS = 2304;
/** llvmpipe leaves every loop of an invocation, in silence, after so many iterations in all. */
const MOST_ITERATIONS = 65_535;
/**
 * Keys that one invocation goes over at most on a software adapter, for that reason. It unrolls the
 * loops over the components of a head up to 128 of them.
 */
const CPU_SLICE = 32_768;
const CPU_SLICE_OF_LARGE_HEADS = 1024;
const MERGE_LANES = 32;
/** Of larger heads two rows a lane are no faster, and twice as long to compile. */
const LARGEST_HEAD_OF_TWO = 64;

/** Element types that keys and values can be kept in. */
export type CacheFormat = "f32" | "f16";

const NARROW: Readonly<Record<CacheFormat, readonly string[]>> = {
  f32: [narrow, f32Load],
  f16: [narrow, f16Load],
};
const WIDE: Readonly<Record<CacheFormat, readonly string[]>> = {
  f32: [wide, wideLoads, f32LoadWide],
  f16: [wide, wideLoads, f16LoadWide],
};
const TABLES = [counted, rowFields, headFields];
const merge = defineKernel("attention_merge", mergeSource, ...TABLES);

/** Where keys and values of all sequences lie. */
export interface PagedCache {
  /** [slots, 1 + most pages] u32: how many pages a sequence has, then which. */
  readonly pages: Tensor;
  /**
   * [pages, heads, pageTokens, head] f32 or f16 of one layer; `v` likewise. The tokens of a page lie
   * in panels of 8: [head / v][8] vectors of 16 bytes with v components each.
   */
  readonly k: Tensor;
  readonly v: Tensor;
}

const SOURCES = {
  attention: [portable, octetPairs, rowsInRegisters],
  attention_subgroup: [subgroup, rowsInRegisters, picks, fromLane],
  attention_workgroup: [workgroup],
};
const kernels = new Map<string, Kernel>();

function kernelFor(
  { name, rows }: Variant,
  { head, format }: { head: number; format: CacheFormat },
): Kernel {
  const key = [name, rows, head, format].join();
  const kernel = kernels.get(key) ??
    defineKernel(
      name,
      ...SOURCES[name],
      operandFields,
      octetFields,
      // Checked by attention(). Only rows that lie in the registers of a lane are written out.
      name === "attention_workgroup" ? `const HEAD8 = ${head / 8}u;` : HEAD_SIZES[head]!,
      ...(name === "attention_subgroup" ? [`const QUERIES = ${rows / LANES}u;`] : []),
      ...(name === "attention_subgroup" ? WIDE : NARROW)[format],
      ...TABLES,
    );
  kernels.set(key, kernel);
  return kernel;
}

/** One way to attend: rows of a workgroup, and keys that are summed by themselves. */
interface Variant {
  readonly name: keyof typeof SOURCES;
  readonly rows: number;
  readonly slice: number;
}

/** The variant for rows that may see `keys` keys. */
function variantFor(
  deviceClass: DeviceClass,
  { keys, head, together }: {
    readonly keys: number;
    readonly head: number;
    readonly together: number;
  },
): Variant {
  if (deviceClass === "gpu") {
    const slice = keys <= UNSLICED_KEYS
      ? UNSLICED_KEYS
      : GPU_SLICE * Math.ceil(keys / GPU_SLICE / MOST_GPU_SLICES);
    return { name: "attention_workgroup", rows: 1, slice };
  }
  const slice = head > 128 ? CPU_SLICE_OF_LARGE_HEADS : CPU_SLICE;
  // A group goes over the keys of one sequence after the other, and each of its rows may be one's. What
  // is added: a round for the sequence, one to store each row, and what neighbours see beside a row.
  const iterations = (rows: number) => rows * (Math.ceil(keys / KEYS) + 3 * rows);
  const canShare = (rows: number) =>
    deviceClass === "cpu with subgroups" && keys <= slice && iterations(rows) <= MOST_ITERATIONS;
  if (together >= 2 * LANES && head <= LARGEST_HEAD_OF_TWO && canShare(2 * LANES)) {
    return { name: "attention_subgroup", rows: 2 * LANES, slice };
  }
  return { name: canShare(LANES) ? "attention_subgroup" : "attention", rows: LANES, slice };
}

/** Operands of {@linkcode attention}. */
export interface Attention {
  /**
   * [rows of the pass, heads · head] f32, rotated. As many neighbouring heads each share one of the
   * cache.
   */
  readonly q: Tensor;
  readonly rows: Tensor;
  readonly counts: Tensor;
  /** Holds the keys and values of every position that a row sees, its own included. */
  readonly cache: PagedCache;
  /** Components of a head without padding: the scale is its root's inverse. */
  readonly headSize: number;
  /**
   * How many neighbouring rows are mostly of one sequence, 1 where left out: nothing but the time that
   * it takes depends on it.
   */
  readonly together?: number;
  /** Attends for the rows of these heads only, in their order: [bound] heads. */
  readonly heads?: { readonly table: Tensor; readonly bound: number };
}

/**
 * Records softmax attention of every live row over the positions it sees.
 *
 * @returns [rows, heads · head] f32, or as many rows as heads; scratch of `pass`.
 * @throws {TypeError} If `q` has no whole number of heads for each of the cache's.
 */
export function attention(pass: Pass, operands: Attention): Tensor {
  const { q, rows, counts, cache: { pages, k, v }, headSize, together = 1 } = operands;
  const [, shared = 0, page = 0, head = 0] = k.shape;
  const group = Math.max(1, Math.floor(q.shape[1]! / (shared * head)));
  const heads = group * shared;
  expectShape(q, [q.shape[0]!, heads * head]);
  if (!(head in HEAD_SIZES)) {
    throw new TypeError(`Cannot attend: heads of ${head}, expected a padded size`);
  }
  if (page % PANEL !== 0) {
    throw new TypeError(`Cannot attend: pages of ${page} tokens, expected a multiple of ${PANEL}`);
  }
  const bound = operands.heads?.bound ?? q.shape[0]!;
  const pageTable = pages.shape[1]!;
  // A row sees no more than a sequence's pages hold, since its past ends before its own keys begin;
  // these may begin within a chunk.
  const variant = variantFor(pass.gpu.deviceClass, {
    keys: (pageTable - 1) * page + KEYS,
    head,
    together,
  });
  const { name, rows: tile, slice } = variant;
  const slices = Math.ceil(((pageTable - 1) * page + KEYS) / slice);
  const kernel = kernelFor(variant, { head, format: k.dtype === "f16" ? "f16" : "f32" });
  // Where all rows are meant the table of heads is bound and not read.
  const table = operands.heads?.table ?? rows;
  const tensors = { q, k, v, rows, counts, pages, heads: table };
  const params = { counted: operands.heads ? 1 : 0, bound };
  const scale = 1 / Math.sqrt(headSize);
  const constants = { HEADS: heads, GROUP: group, PAGE: page, TABLE: pageTable, SCALE: scale };
  const o = pass.scratch("attention", [bound, heads * head]);
  if (name === "attention_subgroup") {
    const workgroups = [Math.ceil(bound / tile), heads];
    pass.dispatch(kernel, { tensors: { ...tensors, o }, constants, params, workgroups });
    return o;
  }
  using state = pass.scratch("attention state", [slices * bound, heads, 2]);
  using partial = slices > 1
    ? pass.scratch("attention slices", [slices * bound, heads * head])
    : null;
  pass.dispatch(kernel, {
    tensors: { ...tensors, o: partial ?? o, state },
    constants: { ...constants, SLICE: slice, SLICES: slices },
    params,
    workgroups: [Math.ceil(bound / tile), heads, slices],
  });
  if (partial) {
    pass.dispatch(merge, {
      tensors: { partial, state, rows, counts, o, heads: table },
      constants: { HEADS: heads, WIDTH4: head / 4, SLICE: slice },
      params,
      workgroups: [Math.ceil(heads * head / 4 / MERGE_LANES), bound],
    });
  }
  return o;
}
