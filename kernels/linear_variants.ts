import { defineKernel, type DeviceClass, type Gpu, type Kernel } from "../src/gpu/mod.ts";
import type { TileOrder, WeightFormat } from "../src/weights/formats.ts";
import counted from "./counted.wgsl" with { type: "text" };
import gatedResidual from "./epilogues/gated_residual.wgsl" with { type: "text" };
import gelu from "./epilogues/gelu.wgsl" with { type: "text" };
import plain from "./epilogues/plain.wgsl" with { type: "text" };
import residual from "./epilogues/residual.wgsl" with { type: "text" };
import silu from "./epilogues/silu.wgsl" with { type: "text" };
import swiglu from "./epilogues/swiglu.wgsl" with { type: "text" };
import fromLane from "./from_lane.wgsl" with { type: "text" };
import headFields from "./heads.wgsl" with { type: "text" };
import portable from "./linear.wgsl" with { type: "text" };
import finish from "./linear_finish.wgsl" with { type: "text" };
import narrow from "./linear_loads/narrow.wgsl" with { type: "text" };
import wide from "./linear_loads/wide.wgsl" with { type: "text" };
import operands from "./linear_operands.wgsl" with { type: "text" };
import split from "./linear_split.wgsl" with { type: "text" };
import subgroup from "./linear_subgroup.wgsl" with { type: "text" };
import portable1 from "./linear_tiles/portable_1.wgsl" with { type: "text" };
import portable4 from "./linear_tiles/portable_4.wgsl" with { type: "text" };
import portable8 from "./linear_tiles/portable_8.wgsl" with { type: "text" };
import subgroup1 from "./linear_tiles/subgroup_1.wgsl" with { type: "text" };
import subgroup16 from "./linear_tiles/subgroup_16.wgsl" with { type: "text" };
import subgroup4 from "./linear_tiles/subgroup_4.wgsl" with { type: "text" };
import subgroup8 from "./linear_tiles/subgroup_8.wgsl" with { type: "text" };
import tiled from "./linear_tiled.wgsl" with { type: "text" };
import octetFields from "./octet.wgsl" with { type: "text" };
import picks from "./picks.wgsl" with { type: "text" };
import { ROPE_STORES } from "./rope_store.ts";
import rowFields from "./rows.wgsl" with { type: "text" };
import { tileStrides } from "./tile_strides.ts";
import tileSums from "./tile_sums.wgsl" with { type: "text" };
import f16 from "./weights/f16.wgsl" with { type: "text" };
import f32 from "./weights/f32.wgsl" with { type: "text" };
import int4 from "./weights/int4.wgsl" with { type: "text" };
import int8 from "./weights/int8.wgsl" with { type: "text" };
import stepwise from "./weights/stepwise.wgsl" with { type: "text" };
import wideLoads from "./wide_loads.wgsl" with { type: "text" };

/** One way to multiply: a kernel with a height of its tiles. */
export interface LinearVariant {
  /** Entry point. */
  readonly name: "linear" | "linear_subgroup" | "linear_split" | "linear_tiled";
  readonly sources: readonly string[];
  /** Order that tiles of the weights must have; any where left out. */
  readonly order?: TileOrder;
  /** Rows and columns of the result that one workgroup gives. */
  readonly rows: number;
  readonly columns: number;
  /** Time of one tile of rows, relative to the others of the table. */
  readonly cost: number;
}

const subgroupTile = (rows: number, tile: string, cost: number): LinearVariant => ({
  name: "linear_subgroup",
  sources: [subgroup, tile, finish, tileSums, picks, fromLane, wide, wideLoads, octetFields],
  order: "rows",
  rows,
  columns: 128,
  cost,
});

const portableTile = (rows: number, tile: string, cost: number): LinearVariant => ({
  name: "linear",
  sources: [portable, tile, finish, tileSums, picks, narrow],
  rows,
  columns: 96,
  cost,
});

/**
 * What there is to choose from, by the kind of device. The variant whose tiles cover the rows at the
 * least cost is taken: `cost` is what a tile took for 768 → 2304 in f16, the first one being 1; those
 * of GPUs are estimates.
 */
const VARIANTS: Readonly<Record<DeviceClass, readonly LinearVariant[]>> = {
  "cpu with subgroups": [
    subgroupTile(1, subgroup1, 1),
    subgroupTile(4, subgroup4, 1.4),
    subgroupTile(8, subgroup8, 1.8),
    subgroupTile(16, subgroup16, 2.8),
  ],
  "cpu": [
    portableTile(1, portable1, 1),
    portableTile(4, portable4, 1.6),
    portableTile(8, portable8, 2.7),
  ],
  "gpu": [
    { name: "linear_split", sources: [split, narrow], rows: 8, columns: 32, cost: 1 },
    { name: "linear_tiled", sources: [tiled, narrow], rows: 64, columns: 64, cost: 4 },
  ],
};

/** The variants of a kind of device. */
export function variantsOf(deviceClass: DeviceClass): readonly LinearVariant[] {
  return VARIANTS[deviceClass];
}

/** Costs of a tile by its rows, for devices on which they have been measured. */
const measuredCosts = new WeakMap<GPUDevice, ReadonlyMap<number, number>>();

/** Makes choices for a device go by what was measured: costs of a tile by its rows. */
export function keepCosts(device: GPUDevice, costs: ReadonlyMap<number, number>): void {
  measuredCosts.set(device, costs);
}

/** The variant for `rows` rows at most: all of a device give the same bits. */
export function chooseLinear(
  { deviceClass, device }: Pick<Gpu, "deviceClass" | "device">,
  rows: number,
): LinearVariant {
  const measured = measuredCosts.get(device);
  const cost = (variant: LinearVariant) =>
    Math.ceil(rows / variant.rows) * (measured?.get(variant.rows) ?? variant.cost);
  return variantsOf(deviceClass).reduce((best, each) => cost(each) < cost(best) ? each : best);
}

/**
 * Slices of the sums' length, which are summed by themselves. They may depend on the device and on
 * the shape of the matrix, never on the rows: the order of a sum would.
 */
export function slicesOf(deviceClass: DeviceClass, outputs: number): number {
  if (deviceClass !== "gpu") return 1;
  // A wide matrix fills the device without.
  return outputs >= 16_384 ? 2 : 16;
}

const FORMATS: Readonly<Record<WeightFormat, readonly string[]>> = {
  f32: [f32, stepwise],
  f16: [f16, stepwise],
  int8: [int8],
  int4: [int4],
};
const EPILOGUES = {
  none: [plain],
  gelu: [gelu],
  silu: [silu],
  swiglu: [swiglu],
  residual: [residual, counted, headFields],
  gated: [gatedResidual, counted, rowFields, headFields],
  rope_store_f32: ROPE_STORES.f32,
  rope_store_f16: ROPE_STORES.f16,
};

/** What becomes of the sums. */
export type EpilogueName = keyof typeof EPILOGUES;

const kernels = new Map<string, Kernel>();

/**
 * The kernel of a variant for weights of a format in an order, and an epilogue; made once.
 *
 * @throws {TypeError} If the variant reads no tiles in this order.
 */
export function linearKernel(
  variant: LinearVariant,
  { format, order, epilogue }: {
    readonly format: WeightFormat;
    readonly order: TileOrder;
    readonly epilogue: EpilogueName;
  },
): Kernel {
  if (variant.order !== undefined && variant.order !== order) {
    throw new TypeError(
      `Cannot multiply by ${variant.name}: tiles lie by ${order}, expected by ${variant.order}`,
    );
  }
  const key = [variant.name, variant.rows, format, order, epilogue].join();
  const kernel = kernels.get(key) ??
    defineKernel(
      variant.name,
      ...[...variant.sources, operands, ...FORMATS[format], ...EPILOGUES[epilogue]],
      ...variant.order ? [] : [tileStrides(order)],
    );
  kernels.set(key, kernel);
  return kernel;
}
