import { assert, assertEquals, assertRejects } from "@std/assert";
import { loadModel } from "../../src/mod.ts";
import { CheckpointError } from "../../src/weights/checkpoint.ts";
import { ROOT } from "../support/process.ts";

Deno.test("loadModel() loads the model that ships, twice in one process", async () => {
  const texts: string[] = [];
  for (
    const directory of [
      `${ROOT}models/tinystories-bd3lm`,
      new URL("../../models/tinystories-bd3lm", import.meta.url),
    ]
  ) {
    const shares: number[] = [];
    const onProgress = (done: number, total: number) => void shares.push(done / total);
    await using engine = await loadModel(directory, { onProgress });
    assertEquals(engine.model.id, "tinystories-bd3lm");
    assert(shares.length > 1 && shares.every((share) => share >= 0 && share <= 1));
    const options = { maxTokens: 8, seed: 7 };
    const [one, other] = await Promise.all([
      engine.generate("Once upon a time", options),
      engine.generate("Once upon a time", options),
    ]);
    assertEquals(one.text, other.text);
    texts.push(one.text);
  }
  assertEquals(texts[0], texts[1]);
});

Deno.test("loadModel() refuses what is no checkpoint, and options that do not fit", async () => {
  await assertRejects(() => loadModel("/nonexistent"), CheckpointError);
  await assertRejects(() => loadModel("/nonexistent", { maxConcurrent: 0 }), RangeError);
});
