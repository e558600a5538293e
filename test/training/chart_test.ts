import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { COLOURS, drawChart } from "../../src/training/chart.ts";

/** Attributes of every element of a kind, in their order. */
function elements(svg: string, kind: string): Record<string, string>[] {
  return [...svg.matchAll(new RegExp(`<${kind} ([^>]*)>`, "g"))].map(([, text]) =>
    Object.fromEntries([...text!.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name, value]) => [
      name!,
      value!,
    ]))
  );
}

function texts(svg: string): string[] {
  return [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text!);
}

const corners = [{ x: 0, y: 0 }, { x: 5, y: 10 }, { x: 10, y: 20 }];

Deno.test("drawChart() spreads points from 0 to the largest of all over the frame", () => {
  // 800 × 400 without 56 to the left, 16 to the right and above, 48 below.
  const svg = drawChart({ series: [{ name: "a", points: corners, style: "both" }] });
  const [line] = elements(svg, "polyline");
  assertEquals(line!.points, "56,352 420,184 784,16");
  assertEquals(elements(svg, "circle").map(({ cx, cy }) => [cx, cy]), [
    ["56", "352"],
    ["420", "184"],
    ["784", "16"],
  ]);
  assertEquals(texts(svg).slice(0, 12), [
    ...["0", "4", "8", "12", "16", "20"],
    ...["0", "2", "4", "6", "8", "10"],
  ]);
});

Deno.test("drawChart() begins where it is told", () => {
  const svg = drawChart({
    series: [{ name: "a", points: corners, style: "line" }],
    x: { from: -10 },
    y: { from: -20 },
  });
  assertEquals(elements(svg, "polyline")[0]!.points, "420,184 602,100 784,16");
});

Deno.test("drawChart() gives every doubling the same room on a logarithmic axis", () => {
  const points = [1, 2, 4, 16].map((x) => ({ x, y: 1 }));
  const svg = drawChart({
    series: [{ name: "a", points, style: "marks" }],
    x: { isLogarithmic: true },
  });
  assertEquals(elements(svg, "circle").map(({ cx }) => cx), ["56", "238", "420", "784"]);
  assertEquals(texts(svg).slice(6, 11), ["1", "2", "4", "8", "16"]);
  assertEquals(elements(svg, "polyline"), []);
});

Deno.test("drawChart() draws errors to both sides, within the frame", () => {
  const points = [{ x: 1, y: 15, error: 5 }, { x: 2, y: 5 }];
  const svg = drawChart({ series: [{ name: "a", points, style: "marks" }] });
  const [bar, ...others] = elements(svg, "line").filter(({ stroke }) => stroke === COLOURS[0]);
  assertEquals(others, []);
  assertEquals([bar!.x1, bar!.x2, bar!.y1, bar!.y2], ["420", "420", "16", "184"]);
});

Deno.test("drawChart() tells series apart and names them and the axes", () => {
  const svg = drawChart({
    series: ["a < b & c", "second"].map((name) => ({ name, points: corners, style: "line" })),
    x: { title: "updates" },
    y: { title: "nats" },
  });
  assertEquals(elements(svg, "polyline").map(({ stroke }) => stroke), COLOURS.slice(0, 2));
  assertMatch(svg, /fill="#4477aa">a &lt; b &amp; c</);
  assertMatch(svg, /fill="#cc3311">second</);
  assertStringIncludes(svg, ">updates<");
  assertStringIncludes(svg, ">nats<");
});

Deno.test("drawChart() has the names in the corner that is asked for, and no others", () => {
  const series = ["a", undefined, "b"].map((name) => ({
    ...{ points: corners, style: "line" as const, ...(name !== undefined && { name }) },
  }));
  const names = (legend: "top-left" | "top-right" | "bottom-left") =>
    elements(drawChart({ series, legend }), "text").slice(-2)
      .map((each) => [each.x, each.y, each["text-anchor"]]);
  assertEquals(names("top-right"), [["776", "32", "end"], ["776", "48", "end"]]);
  assertEquals(names("top-left"), [["64", "32", "start"], ["64", "48", "start"]]);
  assertEquals(names("bottom-left"), [["64", "328", "start"], ["64", "344", "start"]]);
});

Deno.test("drawChart() of nothing is an empty frame", () => {
  const svg = drawChart({ series: [{ name: "a", points: [], style: "both" }] });
  assertEquals(svg.includes("NaN"), false);
  assertEquals(svg.includes("Infinity"), false);
});
