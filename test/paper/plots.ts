import { type Chart, COLOURS, drawChart, type Series } from "../../src/training/chart.ts";
import { relativeVariances, type Results } from "./results.ts";

/** A plot of every measurement, as SVG by the measurement's name. */
export function drawPlots(results: Results): Readonly<Record<keyof Results, string>> {
  return {
    block_sizes: drawChart(blockSizes(results.block_sizes)),
    scratch: drawChart(scratch(results.scratch)),
    clip: drawChart(clip(results.clip)),
    quality: drawChart(quality(results.quality)),
  };
}

function blockSizes({ results }: Results["block_sizes"]): Chart {
  const points = results.map((each) => ({
    ...{ x: each.block_size, y: each.nelbo_per_token, error: each.stderr },
  }));
  return {
    series: [{ name: "the original model", points, style: "both" }],
    x: { title: "block size", isLogarithmic: true },
    y: { title: "NELBO, nats per token", from: wholeBelow(points) },
    legend: "top-left",
  };
}

/** Those that go on from the autoregressive model begin at its end, in the colour of their size. */
function scratch({ scratch, then, updates }: Results["scratch"]): Chart {
  const lines = (models: typeof scratch, begin: number) =>
    models.map(({ curve }) => curve.map(([update, y]) => ({ x: begin + update, y })));
  const alone = lines(scratch, 0).map((points, i): Series => ({
    ...{ name: `block size ${scratch[i]!.blockSize}`, points, style: "both" },
  }));
  const start = alone[0]!.points.at(-1)!;
  const on = lines(then, updates.scratch).map((points, i): Series => ({
    ...{ points: [start, ...points], style: "both", colour: COLOURS[i]! }, // As above.
  }));
  const series = [...alone, ...on];
  return {
    series,
    x: { title: "updates" },
    y: { title: "NELBO, nats per token", from: wholeBelow(series.flatMap((each) => each.points)) },
    legend: "bottom-left",
  };
}

function clip({ clip_search: sizes }: Results["clip"]): Chart {
  const series = sizes.map((each): Series => ({
    name: `block size ${each.block_size}`,
    points: relativeVariances(each).map(({ beta, omega, variance }) => ({
      ...{ x: (beta + omega) / 2, y: variance },
    })),
    style: "marks",
  }));
  return {
    series,
    x: { title: "middle of the range of times" },
    y: { title: "variance / that of all times" },
  };
}

function quality({ heldOut, settings }: Results["quality"]): Chart {
  const strategies = [...new Set(settings.map(({ options }) => options.strategy))];
  const series = strategies.map((strategy): Series => ({
    name: strategy,
    points: settings.filter(({ options }) => options.strategy === strategy)
      .map(({ quality: { tokensPerPass, nelbo } }) => ({
        ...{ x: tokensPerPass!.mean, y: nelbo.mean, error: nelbo.error }, // A model wrote it.
      })),
    style: "both",
  }));
  const most = Math.max(...series.flatMap(({ points }) => points.map(({ x }) => x)));
  const stories = [1, most].map((x) => ({ x, y: heldOut.nelbo.mean }));
  return {
    series: [...series, { name: "the stories", points: stories, style: "line", colour: "#bbbbbb" }],
    x: { title: "tokens per forward pass", isLogarithmic: true },
    y: { title: "NELBO, nats per token" },
    legend: "top-left",
  };
}

function wholeBelow(points: readonly { readonly y: number; readonly error?: number }[]): number {
  return Math.floor(Math.min(...points.map(({ y, error = 0 }) => y - error)));
}
