import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { UsageError } from "../../src/commands/flags.ts";
import { permissionsOf } from "../../src/commands/permissions.ts";
import { parseTokenizerOptions } from "../../src/commands/train_tokenizer.ts";
import { ROOT, runDeno } from "../support/process.ts";

const SHIPPED = join(ROOT, "models/tinystories-bd3lm/tokenizer.json");

Deno.test("tokenizer writes files whose first merges are those of the shipped model", async () => {
  const out = Deno.makeTempDirSync({ prefix: "blockdiffusion-" });
  try {
    const text = join(ROOT, "test/fixtures/tinystories-valid-excerpt.txt.gz");
    const args = ["--text", text, "--out", join(out, "new"), "--vocab", "300"];
    const permissions = permissionsOf("tokenizer", { args, environment: {} });
    const outcome = await runDeno([
      ...["run", "--no-prompt", "--frozen", ...permissions, `${ROOT}main.ts`, "tokenizer", ...args],
    ]);
    assertEquals([outcome.status, outcome.stderr], [0, ""]);
    assertStringIncludes(outcome.stdout, "300 tokens");
    const read = (path: string) => JSON.parse(Deno.readTextFileSync(path)).model.merges;
    const merges: string[] = read(join(out, "new/tokenizer.json"));
    const shipped: string[] = read(SHIPPED).slice(0, 100);
    assertEquals(merges.length, 42);
    // Learnt from stories of the same kind by another program: most of the first are the same.
    assert(merges.filter((each) => shipped.includes(each)).length > 38);
  } finally {
    Deno.removeSync(out, { recursive: true });
  }
});

Deno.test("parseTokenizerOptions() needs a text and a place", () => {
  assertEquals(parseTokenizerOptions(["--text", "a", "--out", "b"]), {
    text: "a",
    out: "b",
    vocab: 4096,
  });
  assertThrows(() => parseTokenizerOptions(["--text", "a"]), UsageError, "--out is missing");
  assertThrows(
    () => parseTokenizerOptions(["--text", "a", "--out", "b", "--vocab", "9"]),
    UsageError,
  );
});
