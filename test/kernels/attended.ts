/** Attention over caches of noise, by every class of devices. */
import { assert, assertEquals } from "@std/assert";
import { attention, type CacheFormat, paddedHeadSize, type Row } from "../../kernels/mod.ts";
import type { DeviceClass, Gpu } from "../../src/gpu/mod.ts";
import * as reference from "../reference/forward.ts";
import { assertClose, noise, readFloats, upload } from "../support/gpu.ts";
import { HostCache } from "./host_cache.ts";
import {
  deviceClassesOf,
  fillNextScratch,
  pad,
  passOf,
  rounded,
  uploadCounts,
  uploadHeads,
  uploadRows,
} from "./tables.ts";

/** Stands in every place of q and o before. */
const UNTOUCHED = 7;

/** What a test attends to. */
export interface Attended {
  /** Key/value heads. */
  readonly heads: number;
  /** Neighbouring query heads that share one of them; 1 where left out. */
  readonly group?: number;
  readonly headSize: number;
  /** f32 where left out. */
  readonly format?: CacheFormat;
  /** Pages of every slot. */
  readonly slots: readonly (readonly number[])[];
  readonly pageTokens?: number;
  /** Those of one slot see ranges that overlap or meet, and one past. */
  readonly rows: readonly Pick<Row, "slot" | "first" | "end" | "past">[];
  /** Attends for these rows only. */
  readonly asked?: readonly number[];
  /** Live rows, or live ones of those asked for; all where left out. */
  readonly live?: number;
  /** All that there are where left out. */
  readonly deviceClasses?: readonly DeviceClass[];
}

/** q of a row, k and v of a position: all heads of noise that depends on them alone. */
function vector(
  what: "q" | "k" | "v",
  { heads, group = 1, headSize, format = "f32" }: Attended,
  at: { slot: number; place: number },
): Float32Array {
  const seed = ["q", "k", "v"].indexOf(what) + 3 * (at.slot + 10 * at.place);
  // Scores spread over a few units, so that the softmax is neither flat nor a single key.
  const length = heads * headSize * (what === "q" ? group : 1);
  const values = noise(length, seed).map((each) => each * (what === "v" ? 1 : 2));
  return what === "q" ? values : rounded(values, format);
}

/** A cache that holds what the rows see, and NaN everywhere else. */
function fillCache(attended: Attended): HostCache {
  const { heads, headSize, format = "f32", slots, pageTokens = 16, rows } = attended;
  const headWidth = paddedHeadSize(headSize);
  const host = new HostCache({ slots, pageTokens, heads, headWidth, format }, NaN);
  const seen = new Set<string>();
  for (const { slot, place } of rows.flatMap(seenBy)) {
    if (seen.has(`${slot} ${place}`)) continue;
    seen.add(`${slot} ${place}`);
    const at = { slot, place };
    host.put({ slot, position: place }, vector("k", attended, at), vector("v", attended, at));
  }
  return host;
}

/** Positions that a row sees. */
function seenBy(
  { slot, first, end, past = { slot: 0, end: 0 } }: Attended["rows"][number],
): { slot: number; place: number }[] {
  return [
    ...Array.from({ length: past.end }, (_, place) => ({ slot: past.slot, place })),
    ...Array.from({ length: end - first }, (_, i) => ({ slot, place: first + i })),
  ];
}

/** Kernels: of a class of devices, and where two rows go to a lane. */
type Variant = DeviceClass | "two rows a lane";

/** Runs the kernels of every class of devices. */
export async function attend(
  gpu: Gpu,
  attended: Attended,
): Promise<Map<Variant, Float32Array>> {
  const { headSize, rows, asked } = attended;
  const heads = attended.heads * (attended.group ?? 1);
  const headWidth = paddedHeadSize(headSize);
  const bound = asked?.length ?? rows.length;
  const { live = bound } = attended;
  const queries = rows.flatMap(({ slot }, row) => [
    ...pad(vector("q", attended, { slot, place: row }), headSize, headWidth),
  ]);
  using cache = fillCache(attended).upload(gpu);
  using q = upload(gpu, [rows.length, heads * headWidth], queries);
  using table = uploadRows(gpu, rows);
  // The count of the other kind must not matter.
  using counts = uploadCounts(gpu, asked ? { rows: 99, heads: live } : { rows: live, heads: 99 });
  using askedRows = uploadHeads(gpu, asked?.map((row) => ({ row })) ?? [{}]);
  const results = new Map<Variant, Float32Array>();
  const deviceClasses = attended.deviceClasses ?? deviceClassesOf(gpu);
  const { slots, pageTokens = 16 } = attended;
  const isLong = slots.some((pages) => pages.length * pageTokens > 16_000);
  const variants: Variant[] = [
    ...deviceClasses,
    ...deviceClasses.includes("cpu with subgroups") && headWidth <= 64 && !isLong
      ? ["two rows a lane"] as const
      : [],
  ];
  for (const variant of variants) {
    const isPaired = variant === "two rows a lane";
    const deviceClass = isPaired ? "cpu with subgroups" : variant;
    const pass = passOf(gpu, deviceClass);
    const shape = [bound, heads * headWidth];
    const id = fillNextScratch(gpu, pass, { shape, value: UNTOUCHED });
    const dispatched: (readonly number[])[] = [];
    const dispatch = pass.dispatch.bind(pass);
    pass.dispatch = (kernel, operands) => {
      dispatched.push(operands.workgroups);
      dispatch(kernel, operands);
    };
    const together = isPaired ? 16 : 1;
    const operands = { q, rows: table, counts, cache, headSize, together };
    using o = attention(pass, {
      ...operands,
      ...(asked && { heads: { table: askedRows, bound } }),
    });
    assertEquals([o.id, o.shape], [id, shape]);
    if (isPaired) {
      assertEquals(dispatched, [[Math.ceil(bound / 16), heads]]);
    }
    pass.submit();
    results.set(variant, await readFloats(gpu, o));
  }
  return results;
}

/** Row `row` of the reference: [heads · padded head size]. */
function expectRow(attended: Attended, row: number): Float32Array {
  const { headSize, group = 1, rows } = attended;
  const heads = attended.heads * group;
  // Every query head with a key/value head of its own, which is that of its group.
  const spread = (values: Float32Array) =>
    Array.from({ length: heads }, (_, head) => {
      const shared = Math.floor(head / group);
      return [...values.subarray(shared * headSize, (shared + 1) * headSize)];
    }).flat();
  const all = (what: "k" | "v") =>
    Float32Array.from(seenBy(rows[row]!).flatMap((at) => spread(vector(what, attended, at))));
  const o = reference.attention({
    q: vector("q", attended, { slot: rows[row]!.slot, place: row }),
    k: all("k"),
    v: all("v"),
    heads,
    headSize,
    visible: () => true,
  });
  return pad(o, headSize, paddedHeadSize(headSize));
}

/** Checks the kernels of every class of devices against the reference. */
export async function checkAttended(gpu: Gpu, attended: Attended): Promise<void> {
  const { rows, asked = rows.map((_, row) => row) } = attended;
  const results = await attend(gpu, attended);
  const live = attended.live ?? asked.length;
  const expected = asked.slice(0, live).map((row) => expectRow(attended, row));
  for (const [variant, actual] of results) {
    const width = actual.length / asked.length;
    for (const [i, each] of expected.entries()) {
      const label = `${variant}, row ${asked[i]}: ${JSON.stringify(rows[asked[i]!])}`;
      assertClose(actual.subarray(i * width, (i + 1) * width), each, {}, label);
    }
    const beyond = actual.subarray(live * width);
    assert(beyond.every((value) => value === UNTOUCHED), `${variant}, beyond`);
  }
  const shared = results.get("cpu with subgroups");
  if (shared) assertEquals(results.get("cpu") ?? shared, shared, "with subgroups or without");
  const paired = results.get("two rows a lane");
  if (shared && paired) assertEquals(paired, shared, "two rows a lane or one");
}
