import { assertEquals, assertMatch } from "@std/assert";
import { ROOT, runDeno } from "../support/process.ts";

/** The one example of the document. */
async function example(): Promise<string> {
  const text = await Deno.readTextFile(`${ROOT}docs/library.md`);
  const [[, code] = [], ...others] = text.matchAll(/^```ts\n([^]*?)^```$/gm);
  assertEquals(others, []);
  return code!;
}

Deno.test("the example of the library is short, and does what it says, by itself", async () => {
  const code = await example();
  const statements = code.trim().split("\n").slice(2);
  assertEquals(statements.length <= 10, true);
  // Beside deno.json, where the document says to save it.
  const path = await Deno.makeTempFile({ dir: ROOT, prefix: "example-", suffix: ".ts" });
  try {
    await Deno.writeTextFile(path, code);
    const read = `--allow-read=${ROOT}src,${ROOT}kernels,${ROOT}models`;
    const args = ["run", "--no-prompt", "--frozen", "--quiet", "--check", read, path];
    const { status, stdout, stderr } = await runDeno(args, { XDG_RUNTIME_DIR: "/tmp" });
    assertEquals([status, stderr], [0, ""]);
    assertMatch(stdout, /^0 [^]*\n24 tokens in \d+ passes\nperplexity \d+\.\d\n$/);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("all that src/mod.ts exports is documented, and so are the types it names", async () => {
  const { status, stderr } = await runDeno(["doc", "--lint", "src/mod.ts"]);
  assertEquals([status, stderr.split("\n").filter((line) => line.startsWith("error"))], [0, []]);
});
