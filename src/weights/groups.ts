import { GROUP, type QuantizedFormat, type StoredRows } from "./formats/format.ts";

/** A row or column of a stored matrix: its index in the file, `null` for padding. */
export type Line = number | null;

/**
 * How the columns of a matrix fall into groups: those of each of its parts by 32, the last group of
 * a part with what is left. A matrix has one part, but where heads are padded on the device: then
 * each head is one.
 */
export interface Grouping {
  readonly width: number;
  /** Divides the width. */
  readonly parts: number;
}

/** Groups of one row. */
export function groupCount({ width, parts }: Grouping): number {
  return parts * Math.ceil(width / parts / GROUP);
}

/** The columns with every part padded to whole groups. */
export function paddedColumns({ width, parts }: Grouping): Line[] {
  const size = width / parts;
  return Array.from({ length: groupCount({ width, parts }) * GROUP }, (_, i) => {
    const groups = Math.ceil(size / GROUP) * GROUP;
    const place = i % groups;
    return place < size ? Math.floor(i / groups) * size + place : null;
  });
}

/** Moves the columns of f32 rows from the file's order to where `columns` says; zero elsewhere. */
export function padRows(
  rows: Float32Array<ArrayBuffer>,
  width: number,
  columns: readonly Line[],
): Float32Array<ArrayBuffer> {
  if (columns.length === width) return rows;
  const padded = new Float32Array(rows.length / width * columns.length);
  for (let row = 0; row * width < rows.length; row++) {
    columns.forEach((column, i) => {
      if (column !== null) padded[row * columns.length + i] = rows[row * width + column]!;
    });
  }
  return padded;
}

/** The columns of `padRows` without padding, in the order of the file. */
export function unpadRows(
  rows: Float32Array<ArrayBuffer>,
  width: number,
  columns: readonly Line[],
): Float32Array<ArrayBuffer> {
  if (columns.length === width) return rows;
  const bare = new Float32Array(rows.length / columns.length * width);
  for (let row = 0; row * width < bare.length; row++) {
    columns.forEach((column, i) => {
      if (column !== null) bare[row * width + column] = rows[row * columns.length + i]!;
    });
  }
  return bare;
}

/** A group's place in a padded row, and what it holds of the file's. */
interface Place {
  /** Index of the group among the file's, and its columns there. */
  readonly group: number;
  readonly first: number;
  readonly count: number;
}

/**
 * Where the groups of a padded row come from; `null` is a group of nothing but padding.
 *
 * @returns `null` where `columns` divides them otherwise than `grouping`.
 */
export function placeGroups(
  columns: readonly Line[],
  { width, parts }: Grouping,
): readonly (Place | null)[] | null {
  const size = width / parts;
  const places: (Place | null)[] = [];
  for (let begin = 0; begin < columns.length; begin += GROUP) {
    const first = columns[begin] ?? null;
    const own = columns.slice(begin, begin + GROUP);
    const inPart = first === null ? 0 : first % size;
    const count = first === null ? 0 : Math.min(GROUP, size - inPart);
    const isWhole = own.every((column, i) => column === (i < count ? first! + i : null));
    if (!isWhole || inPart % GROUP !== 0) return null;
    const before = first === null ? 0 : Math.floor(first / size) * Math.ceil(size / GROUP);
    places.push(first === null ? null : { group: before + inPart / GROUP, first, count });
  }
  return places;
}

/** Moves rows as a file stores them to the places of padded ones. */
export function padStored(
  { values, scales }: StoredRows,
  { places, format, ...grouping }: Grouping & {
    readonly places: readonly (Place | null)[];
    readonly format: QuantizedFormat;
  },
): StoredRows {
  const groups = groupCount(grouping);
  const { bits, zeroOf } = format;
  if (groups === places.length && groups * GROUP === grouping.width) return { values, scales };
  const [from, to] = [grouping.width * bits / 8, places.length * GROUP * bits / 8];
  const rows = values.length / from;
  const padded = {
    values: new Uint8Array(rows * to),
    scales: new Uint32Array(rows * places.length),
  };
  for (let row = 0; row < rows; row++) {
    places.forEach((place, i) => {
      if (place === null) return;
      const scale = scales[row * groups + place.group]!;
      const begin = row * to + i * GROUP * bits / 8;
      const end = begin + place.count * bits / 8;
      const source = row * from + place.first * bits / 8;
      padded.scales[row * places.length + i] = scale;
      padded.values.set(values.subarray(source, source + end - begin), begin);
      const zero = zeroOf(scale);
      padded.values.fill(bits === 4 ? zero * 17 : zero, end, begin + GROUP * bits / 8);
    });
  }
  return padded;
}

/** Takes padding out of the values of stored rows, as a file has them. */
export function unpadValues(
  values: Uint8Array<ArrayBuffer>,
  grouping: Grouping,
  bits: number,
): Uint8Array<ArrayBuffer> {
  const { width, parts } = grouping;
  const to = width / parts * bits / 8;
  const from = groupCount(grouping) / parts * GROUP * bits / 8;
  if (from === to) return values;
  const bare = new Uint8Array(values.length / from * to);
  for (let part = 0; part * to < bare.length; part++) {
    bare.set(values.subarray(part * from, part * from + to), part * to);
  }
  return bare;
}
