const [WIDTH, HEIGHT] = [800, 400];
const MARGIN = { left: 56, right: 16, top: 16, bottom: 48 };
const TICKS = 5;
const LINE_HEIGHT = 16;
const PADDING = 8;

/** Tells series apart, for colour-blind readers too. Source: Paul Tol, "Colour schemes", 2021. */
export const COLOURS = [
  "#4477aa",
  "#cc3311",
  "#228833",
  "#ee7733",
  "#aa3377",
  "#777777",
] as const;

/** Where something is, and how far off it may be upwards and downwards. */
export interface Point {
  readonly x: number;
  readonly y: number;
  /** Half the length of the bar through it; none where left out. */
  readonly error?: number;
}

/** What belongs together. */
export interface Series {
  /** Not in the legend where left out. */
  readonly name?: string;
  readonly points: readonly Point[];
  /** Whether points are joined, marked, or both. */
  readonly style: "line" | "marks" | "both";
  /** One of {@linkcode COLOURS}, by its place where left out. */
  readonly colour?: string;
}

/** How numbers become places. */
export interface Axis {
  readonly title?: string;
  /** Where it begins; 0 where left out, which a logarithmic axis cannot do. */
  readonly from?: number;
  /** Doubles from mark to mark. */
  readonly isLogarithmic?: boolean;
}

/** A plot. */
export interface Chart {
  readonly series: readonly Series[];
  readonly x?: Axis;
  readonly y?: Axis;
  /** The corner where the names of the series stand; the upper right one where left out. */
  readonly legend?: "top-left" | "top-right" | "bottom-left";
}

/** An axis with its numbers. */
interface Scale {
  readonly ticks: readonly number[];
  /** 0 where the axis begins to 1 where it ends. */
  readonly share: (value: number) => number;
}

type Place = (point: { readonly x: number; readonly y: number }) => readonly [number, number];

/** Draws series as an SVG, as far as the largest of their points. */
export function drawChart({ series, x = {}, y = {}, legend = "top-right" }: Chart): string {
  const points = series.flatMap((each) => each.points);
  const [xScale, yScale] = [
    scaleOf(x, points.map((each) => each.x)),
    scaleOf(y, points.map((each) => each.y + (each.error ?? 0))),
  ];
  const place: Place = (point) => [
    round(MARGIN.left + xScale.share(point.x) * (WIDTH - MARGIN.left - MARGIN.right)),
    round(HEIGHT - MARGIN.bottom - yScale.share(point.y) * (HEIGHT - MARGIN.top - MARGIN.bottom)),
  ];
  const coloured = series.map((each, i) => ({
    ...each,
    colour: each.colour ?? COLOURS[i % COLOURS.length]!, // There are some.
  }));
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" ` +
    `font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    ...frame({ xScale, yScale, place, titles: [x.title, y.title] }),
    ...coloured.flatMap((each) => marksOf(each, place)),
    ...namesOf(coloured, legend),
    "</svg>",
  ];
  return lines.join("\n") + "\n";
}

function scaleOf({ from, isLogarithmic = false }: Axis, values: readonly number[]): Scale {
  if (!isLogarithmic) {
    const begin = from ?? 0;
    // Something to divide by where there is nothing.
    const end = Math.max(begin + (from === undefined ? 1 : 1e-3), ...values);
    return {
      ticks: Array.from({ length: TICKS + 1 }, (_, i) => begin + (end - begin) * i / TICKS),
      share: (value) => (value - begin) / (end - begin),
    };
  }
  const first = from ?? Math.min(...values);
  const doublings = Math.max(1, Math.log2(Math.max(...values) / first));
  return {
    ticks: Array.from({ length: Math.floor(doublings) + 1 }, (_, i) => first * 2 ** i),
    share: (value) => Math.log2(value / first) / doublings,
  };
}

function frame(
  { xScale, yScale, place, titles: [below, beside] }: {
    readonly xScale: Scale;
    readonly yScale: Scale;
    readonly place: Place;
    readonly titles: readonly [string | undefined, string | undefined];
  },
): string[] {
  const [x, y] = [xScale.ticks[0]!, yScale.ticks[0]!]; // An axis has two at least.
  const [left, bottom] = place({ x, y });
  const right = WIDTH - MARGIN.right;
  const middle = MARGIN.top + (bottom - MARGIN.top) / 2;
  return [
    ...yScale.ticks.map((tick) => {
      const [, at] = place({ x, y: tick });
      return `<line x1="${left}" x2="${right}" y1="${at}" y2="${at}" stroke="#dddddd"/>\n` +
        textAt([left - 6, at + 4], label(tick), { anchor: "end" });
    }),
    ...xScale.ticks.map((tick) =>
      textAt([place({ x: tick, y })[0], bottom + 18], label(tick), { anchor: "middle" })
    ),
    ...(below === undefined
      ? []
      : [textAt([(left + right) / 2, HEIGHT - 10], below, { anchor: "middle" })]),
    ...(beside === undefined ? [] : [
      `<g transform="rotate(-90 14 ${round(middle)})">` +
      textAt([14, round(middle)], beside, { anchor: "middle" }) + "</g>",
    ]),
  ];
}

function marksOf(
  { points, style, colour }: Series & { readonly colour: string },
  place: Place,
): string[] {
  const path = points.map((each) => place(each).join(",")).join(" ");
  return [
    ...(style === "marks"
      ? []
      : [`<polyline fill="none" stroke="${colour}" stroke-width="1.5" points="${path}"/>`]),
    ...points.flatMap(({ x, y, error }) => {
      if (error === undefined) return [];
      const [[at, top], [, bottom]] = [place({ x, y: y + error }), place({ x, y: y - error })];
      return [`<line x1="${at}" x2="${at}" y1="${top}" y2="${bottom}" stroke="${colour}"/>`];
    }),
    ...(style === "line" ? [] : points.map((each) => {
      const [cx, cy] = place(each);
      return `<circle cx="${cx}" cy="${cy}" r="2.5" fill="${colour}"/>`;
    })),
  ];
}

function namesOf(
  series: readonly (Series & { readonly colour: string })[],
  legend: NonNullable<Chart["legend"]>,
): string[] {
  const named = series.flatMap(({ name, colour }) => name === undefined ? [] : [{ name, colour }]);
  const first = legend === "bottom-left"
    ? HEIGHT - MARGIN.bottom - LINE_HEIGHT * (named.length - 0.5)
    : MARGIN.top + LINE_HEIGHT;
  const [left, anchor] = legend === "top-right"
    ? [WIDTH - MARGIN.right - PADDING, "end"] as const
    : [MARGIN.left + PADDING, "start"] as const;
  return named.map(({ name, colour }, i) =>
    textAt([left, first + LINE_HEIGHT * i], name, { anchor, colour })
  );
}

function textAt(
  [x, y]: readonly [number, number],
  text: string,
  { anchor, colour }: { readonly anchor: "start" | "middle" | "end"; readonly colour?: string },
): string {
  const fill = colour === undefined ? "" : ` fill="${colour}"`;
  const escaped = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}"${fill}>${escaped}</text>`;
}

function label(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

function round(value: number): number {
  return Math.round(10 * value) / 10;
}
