import { drawChart, type Series } from "../../src/training/chart.ts";
import type { ProgressRow } from "../../src/training/progress_file.ts";

/** Updates whose losses are averaged into one point: single ones scatter by a tenth. */
const SMOOTHED = 20;

/** A bound on held-out text, nats per token, before the first update. */
export interface Start {
  readonly blockSize: number;
  readonly nelbo: number;
}

/**
 * Draws how a model was trained on in blocks of several sizes, as an SVG: bounds on held-out text
 * and losses, each by block size, for between sizes neither compares.
 */
export function drawTraining(rows: readonly ProgressRow[], starts: readonly Start[]): string {
  const bounds = starts.map(({ blockSize, nelbo }): Series => {
    const later = rows.flatMap((row) =>
      row.blockSize === blockSize && row.nelbo !== null ? [{ x: row.update, y: row.nelbo }] : []
    );
    const points = [{ x: 0, y: nelbo }, ...later];
    return { name: `held-out NELBO, blocks of ${blockSize}`, points, style: "both" };
  });
  const sizes = [...new Set(rows.map(({ blockSize }) => blockSize))].sort((a, b) => a - b);
  const losses = sizes.map((blockSize): Series => ({
    name: `training loss, blocks of ${blockSize}`,
    points: means(rows.filter((row) => row.blockSize === blockSize)),
    style: "marks",
  }));
  return drawChart({
    series: [...bounds, ...losses],
    x: { title: "updates" },
    y: { title: "nats per token", from: 2 },
  });
}

function means(rows: readonly ProgressRow[]): { readonly x: number; readonly y: number }[] {
  return Array.from({ length: Math.ceil(rows.length / SMOOTHED) }, (_, i) => {
    const part = rows.slice(i * SMOOTHED, (i + 1) * SMOOTHED);
    const mean = (value: (row: ProgressRow) => number) =>
      part.reduce((sum, row) => sum + value(row), 0) / part.length;
    return { x: mean(({ update }) => update), y: mean(({ loss }) => loss) };
  });
}
