import { assert, assertEquals, assertGreater } from "@std/assert";
import dashboard from "../../deploy/grafana.json" with { type: "json" };
import { testApp } from "../server/support.ts";
import { readExposition } from "../support/prometheus.ts";

/** What Prometheus itself adds, and what the parts of histograms have. */
const OTHER_LABELS = ["instance", "le"];

const targets = dashboard.panels.flatMap(({ targets }) => targets);

/** The metrics of a server that has answered a request, with the labels that each has. */
async function served(): Promise<Map<string, readonly string[]>> {
  const { post, send } = testApp();
  await (await post({ prompt: "x", max_tokens: 1 })).text();
  const { types, labels } = readExposition(await (await send("/metrics")).text());
  const parts = (type: string) => type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
  return new Map(
    [...types].flatMap(([name, type]) =>
      parts(type).map((part) => [name + part, Object.keys(labels(name + part)[0] ?? {})] as const)
    ),
  );
}

function namesIn(expression: string): string[] {
  return [...expression.matchAll(/\b(?:bd|process)_[a-z_]+/g)].map(([name]) => name);
}

Deno.test("the dashboard asks for metrics that there are, by labels that they have", async () => {
  const metrics = await served();
  for (const { expr, legendFormat } of targets) {
    const names = namesIn(expr);
    assertGreater(names.length, 0);
    const known = names.flatMap((name) => metrics.get(name) ?? [`${name} is no metric`]);
    const used = [
      ...[...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(/,\s*/)),
      ...[...expr.matchAll(/[{,]\s*(\w+)=/g)].map(([, label = ""]) => label),
      ...[...legendFormat.matchAll(/{{(\w+)}}/g)].map(([, label = ""]) => label),
    ];
    const unknown = used.filter((label) => ![...known, ...OTHER_LABELS].includes(label));
    assertEquals({ expr, unknown, strange: names.filter((name) => !metrics.has(name)) }, {
      expr,
      unknown: [],
      strange: [],
    });
  }
});

Deno.test("the dashboard's variables ask for labels that there are", async () => {
  const metrics = await served();
  for (const { query } of dashboard.templating.list) {
    if (typeof query === "string") continue; // The kind of the data source.
    const [, name = "", label = ""] = /^label_values\((\w+), (\w+)\)$/.exec(query.query) ?? [];
    assert([...(metrics.get(name) ?? []), "instance"].includes(label), query.query);
    assert(metrics.has(name), query.query);
  }
});

Deno.test("every panel takes its data from the source that the user chooses", () => {
  const [source] = dashboard.templating.list;
  assertEquals([source?.type, source?.name, source?.query], [
    "datasource",
    "datasource",
    "prometheus",
  ]);
  const sources = [...dashboard.panels, ...targets].map(({ datasource }) => datasource);
  for (const each of sources) assertEquals(each, { type: "prometheus", uid: "${datasource}" });
});

Deno.test("no panel lies over another", () => {
  const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) => {
    assert(x + w <= 24);
    return Array.from({ length: w * h }, (_, i) => `${x + i % w} ${y + Math.floor(i / w)}`);
  });
  assertEquals(new Set(cells).size, cells.length);
  const ids = dashboard.panels.map(({ id }) => id);
  assertEquals(new Set(ids).size, ids.length);
});
