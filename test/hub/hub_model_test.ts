import { assertEquals } from "@std/assert";
import { parseHubModel } from "../../src/hub/hub_model.ts";

Deno.test("parseHubModel() reads an id, and a revision where one is named", () => {
  const id = "kuleshov-group/bd3lm-owt-block_size16";
  assertEquals(parseHubModel(id), { id, revision: "main" });
  assertEquals(parseHubModel(`${id}@refs/pr/1`), { id, revision: "refs/pr/1" });
});

for (
  const text of [
    "name",
    "a/b/c",
    "/b",
    "a/",
    "../b",
    "a/..",
    "a--b/c",
    "a/b@",
    "a/b@../../x",
    "a/b@/x",
    "a/b@x\0",
    "a b/c",
    "./b",
  ]
) {
  Deno.test(`parseHubModel() takes ${JSON.stringify(text)} for no model`, () => {
    assertEquals(parseHubModel(text), null);
  });
}
