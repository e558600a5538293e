import { assertEquals } from "@std/assert";
import {
  type Field,
  fieldsOf,
  isFor,
  type Model,
  valueOf,
} from "../../../src/server/playground/fields.js";
import { DOCUMENT } from "../openapi/api.ts";
import { testApp } from "../support.ts";

const { data: [MODEL] } = await (await testApp().send("/v1/models")).json() as { data: [Model] };
const PROPERTIES = DOCUMENT.components.schemas.BlocksRequest.properties;
const FIELDS = new Map(fieldsOf(PROPERTIES, MODEL).map((field) => [field.name, field]));

function fieldOf(name: string): Omit<Field, "description" | "name"> {
  const { description: _, name: __, ...field } = FIELDS.get(name)!;
  return field;
}

Deno.test("fieldsOf() has every field that can be set, and none that only looks like one", () => {
  assertEquals([...FIELDS.keys()].sort(), [
    "block_size",
    "confidence",
    "entropy",
    "entropy_bound",
    "ignore_eos",
    "logprobs",
    "max_tokens",
    "min_entropy",
    "overflow",
    "resume_ms",
    "seed",
    "step_map",
    "steps",
    "stop",
    "strategy",
    "stream",
    "sub_block_size",
    "temperature",
    "threshold",
    "top_k",
    "top_logprobs",
    "top_p",
    "trace",
  ]);
});

Deno.test("fieldsOf() takes limits from the schema, and from the model what is the model's", () => {
  const strategies = null;
  assertEquals(fieldOf("temperature"), {
    kind: "number",
    minimum: 0,
    maximum: 2,
    initial: "1",
    strategies,
  });
  assertEquals(fieldOf("top_p"), {
    kind: "number",
    minimum: 0,
    isExclusive: true,
    maximum: 1,
    initial: "1",
    strategies,
  });
  assertEquals(fieldOf("max_tokens"), { kind: "integer", minimum: 1, maximum: 4096, strategies });
  const topK = { minimum: 0, maximum: 259, initial: "0" };
  assertEquals(fieldOf("top_k"), { kind: "integer", ...topK, strategies });
  assertEquals(fieldOf("block_size"), {
    kind: "choice",
    minimum: 1,
    choices: ["1", "2", "4", "8", "16", "32"],
    initial: "4",
    strategies,
  });
  assertEquals(fieldOf("stop"), { kind: "lines", strategies });
  assertEquals(fieldOf("trace"), { kind: "toggle", initial: "false", strategies });
});

Deno.test("fieldsOf() shows the model's own defaults, which a request need not say", () => {
  const defaults = { ...MODEL.defaults, temperature: 0, top_k: 20, steps: 4, threshold: 0.75 };
  const fields = new Map(
    fieldsOf(PROPERTIES, { ...MODEL, defaults }).map((field) => [field.name, field]),
  );
  const initial = (name: string) => fields.get(name)?.initial;
  assertEquals(["temperature", "top_k", "steps", "threshold", "top_p"].map(initial), [
    ...["0", "20", "4", "0.75", "1"],
  ]);
  assertEquals([initial("strategy"), initial("entropy_bound")], ["first_hitting", undefined]);
  assertEquals(valueOf(fields.get("temperature")!, "0"), undefined);
  assertEquals(valueOf(fields.get("temperature")!, "1"), 1);
});

Deno.test("fieldsOf() offers the model's own strategies, and no sliding where it cannot", () => {
  const model = {
    ...MODEL,
    strategies: ["sequential"],
    default_strategy: "sequential",
    defaults: { ...MODEL.defaults, strategy: "sequential" },
    capabilities: { score: false, slide: false },
  };
  const fields = fieldsOf(PROPERTIES, model);
  const strategy = fields.find(({ name }) => name === "strategy");
  assertEquals([strategy?.choices, strategy?.initial], [["sequential"], "sequential"]);
  assertEquals(fields.some(({ name }) => name === "overflow"), false);
});

Deno.test("isFor() knows which options a strategy takes", () => {
  const taken = (strategy: string) =>
    [...FIELDS.values()].filter((field) => field.strategies && isFor(field, strategy))
      .map(({ name }) => name).sort();
  assertEquals(taken("first_hitting"), []);
  assertEquals(taken("ancestral"), ["steps"]);
  assertEquals(taken("low_confidence_dynamic"), ["steps", "threshold"]);
  assertEquals(taken("entropy_bounded"), ["entropy_bound", "steps"]);
  assertEquals(isFor(FIELDS.get("temperature")!, "first_hitting"), true);
});

Deno.test("valueOf() is what a request says, and nothing where it need not say it", () => {
  const value = (name: string, text: string) => valueOf(FIELDS.get(name)!, text);
  assertEquals(value("temperature", "0.5"), 0.5);
  assertEquals(value("temperature", "1"), undefined);
  assertEquals(value("seed", ""), undefined);
  assertEquals(value("seed", "9007199254740991"), 2 ** 53 - 1);
  assertEquals(value("block_size", "8"), 8);
  assertEquals(value("block_size", "4"), undefined);
  assertEquals(value("trace", "true"), true);
  assertEquals(value("trace", "false"), undefined);
  assertEquals(value("stop", "a\n\n b \n"), ["a", " b "]);
  assertEquals(value("strategy", "ancestral"), "ancestral");
});
