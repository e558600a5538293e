import { assertEquals } from "@std/assert";
import {
  groupCount,
  type Line,
  paddedColumns,
  padRows,
  placeGroups,
  unpadRows,
} from "../../src/weights/groups.ts";

const PAD: Line[] = Array(32).fill(null);
const run = (first: number, count: number): Line[] =>
  Array.from({ length: count }, (_, i) => first + i);
const pad = (count: number) => PAD.slice(0, count);

Deno.test("paddedColumns() fills every part up to whole groups", () => {
  assertEquals(paddedColumns({ width: 40, parts: 1 }), [...run(0, 40), ...pad(24)]);
  assertEquals(paddedColumns({ width: 24, parts: 2 }), [
    ...[...run(0, 12), ...pad(20)],
    ...[...run(12, 12), ...pad(20)],
  ]);
  assertEquals(groupCount({ width: 80, parts: 2 }), 4);
});

Deno.test("placeGroups() finds the groups of heads that are padded further", () => {
  // Two heads of 40 in 96 each: a group, 8 of the next, and one of padding.
  const head = (first: number) => [...run(first, 40), ...pad(24), ...PAD];
  assertEquals(placeGroups([...head(0), ...head(40)], { width: 80, parts: 2 }), [
    { group: 0, first: 0, count: 32 },
    { group: 1, first: 32, count: 8 },
    null,
    { group: 2, first: 40, count: 32 },
    { group: 3, first: 72, count: 8 },
    null,
  ]);
});

Deno.test("placeGroups() refuses groups that reach across heads, and columns out of order", () => {
  const head = (first: number) => [...run(first, 12), ...pad(20)];
  assertEquals(placeGroups([...head(0), ...head(12)], { width: 24, parts: 1 }), null);
  assertEquals(placeGroups([...head(1), ...head(13)], { width: 24, parts: 2 }), null);
  assertEquals(placeGroups([1, 0, ...pad(30)], { width: 2, parts: 1 }), null);
});

Deno.test("unpadRows() takes away what padRows() puts in, and nothing else", () => {
  const rows = Float32Array.from({ length: 48 }, (_, i) => i + 1);
  const columns = paddedColumns({ width: 24, parts: 2 });
  const padded = padRows(rows, 24, columns);
  assertEquals([padded.length, padded[11], padded[12], padded[32], padded[64]], [
    128,
    12,
    0,
    13,
    25,
  ]);
  assertEquals(unpadRows(padded, 24, columns), rows);
});
