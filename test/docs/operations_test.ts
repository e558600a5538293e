import { assertEquals } from "@std/assert";
import { testApp } from "../server/support.ts";
import { ROOT } from "../support/process.ts";
import { readExposition } from "../support/prometheus.ts";

Deno.test("the operator's table of metrics has all of them, with types and labels", async () => {
  const { post, send } = testApp();
  await (await post({ prompt: "x", max_tokens: 1 })).text();
  const { types, labels } = readExposition(await (await send("/metrics")).text());
  const expected = [...types].map(([name, type]) => {
    const part = type === "histogram" ? "_count" : "";
    return [name, type, Object.keys(labels(name + part)[0]!).sort()];
  });
  const text = await Deno.readTextFile(`${ROOT}docs/operations.md`);
  const rows = [...text.matchAll(/^\| `((?:bd|process)_\w+)(?:\{([^}]*)\})?` +\| (\w+) +\|/gm)];
  const table = rows.map(([, name, list, type]) => [name, type, list?.split(/,\s*/).sort() ?? []]);
  assertEquals(table.sort(), expected.sort());
});
