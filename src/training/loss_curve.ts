import { drawChart, type Point } from "./chart.ts";
import type { ProgressRow } from "./progress_file.ts";

/** Points of a curve: what lies closer together is averaged. */
const MOST_POINTS = 400;

/** Draws the loss and the bound on held-out text over updates, as an SVG. */
export function lossCurve(rows: readonly ProgressRow[]): string {
  const loss = rows.filter((row) => Number.isFinite(row.loss))
    .map((row) => ({ x: row.update, y: row.loss }));
  const nelbo = rows.flatMap((row) => row.nelbo === null ? [] : [{ x: row.update, y: row.nelbo }]);
  return drawChart({
    series: [
      { name: "training loss", points: thin(loss), style: "line" },
      { name: "NELBO of held-out text, nats per token", points: nelbo, style: "both" },
    ],
    x: { title: "updates" },
  });
}

/** Means of neighbours, so that no more than a few hundred points are left. */
function thin(points: readonly Point[]): Point[] {
  const size = Math.max(1, Math.ceil(points.length / MOST_POINTS));
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const part = points.slice(i * size, (i + 1) * size);
    const mean = (axis: "x" | "y") => part.reduce((sum, each) => sum + each[axis], 0) / part.length;
    return { x: mean("x"), y: mean("y") };
  });
}
