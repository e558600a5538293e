import type { ProgressRow } from "./progress_file.ts";

const [WIDTH, HEIGHT] = [800, 400];
const MARGIN = { left: 56, right: 16, top: 16, bottom: 40 };
/** Points of a curve: what lies closer together is averaged. */
const MOST_POINTS = 400;
const TICKS = 5;

type Point = readonly [x: number, y: number];

/** Draws the loss and the bound on held-out text over updates, as an SVG. */
export function lossCurve(rows: readonly ProgressRow[]): string {
  const loss = thin(
    rows.filter((row) => Number.isFinite(row.loss)).map((row) => [row.update, row.loss]),
  );
  const nelbo: Point[] = rows.flatMap((row) => row.nelbo === null ? [] : [[row.update, row.nelbo]]);
  const all = [...loss, ...nelbo];
  const [right, top] = [0, 1].map((axis) => Math.max(1, ...all.map((each) => each[axis]!)));
  const place = ([x, y]: Point): Point => [
    MARGIN.left + x / right! * (WIDTH - MARGIN.left - MARGIN.right),
    HEIGHT - MARGIN.bottom - y / top! * (HEIGHT - MARGIN.top - MARGIN.bottom),
  ];
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" ` +
    `font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    ...axes({ right: right!, top: top!, place }),
    curve(loss.map(place), "#4477aa"),
    curve(nelbo.map(place), "#cc3311"),
    ...nelbo.map(place).map(([x, y]) =>
      `<circle cx="${round(x)}" cy="${round(y)}" r="2.5" fill="#cc3311"/>`
    ),
    `<text x="${WIDTH - 16}" y="30" text-anchor="end" fill="#4477aa">training loss</text>`,
    `<text x="${
      WIDTH - 16
    }" y="46" text-anchor="end" fill="#cc3311">NELBO of held-out text, nats per token</text>`,
    "</svg>",
  ];
  return lines.join("\n") + "\n";
}

function axes(
  { right, top, place }: { right: number; top: number; place: (point: Point) => Point },
): string[] {
  return Array.from({ length: TICKS + 1 }, (_, i) => {
    const [x, bottom] = place([right * i / TICKS, 0]);
    const [left, y] = place([0, top * i / TICKS]);
    return [
      `<line x1="${left}" x2="${WIDTH - MARGIN.right}" y1="${round(y)}" y2="${
        round(y)
      }" stroke="#dddddd"/>`,
      `<text x="${left - 6}" y="${round(y) + 4}" text-anchor="end">${
        label(top * i / TICKS)
      }</text>`,
      `<text x="${round(x)}" y="${bottom + 18}" text-anchor="middle">${
        label(right * i / TICKS)
      }</text>`,
    ];
  }).flat();
}

function curve(points: readonly Point[], colour: string): string {
  const path = points.map(([x, y]) => `${round(x)},${round(y)}`).join(" ");
  return `<polyline fill="none" stroke="${colour}" stroke-width="1.5" points="${path}"/>`;
}

/** Means of neighbours, so that no more than a few hundred points are left. */
function thin(points: readonly Point[]): Point[] {
  const size = Math.max(1, Math.ceil(points.length / MOST_POINTS));
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const part = points.slice(i * size, (i + 1) * size);
    const mean = (axis: 0 | 1) => part.reduce((sum, each) => sum + each[axis], 0) / part.length;
    return [mean(0), mean(1)];
  });
}

function label(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(2)));
}

function round(value: number): number {
  return Math.round(10 * value) / 10;
}
