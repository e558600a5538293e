import { basename, join } from "@std/path";
import { assertClose } from "../support/assert_close.ts";
import {
  fixtureFolders,
  floatsOf,
  integersOf,
  readFixture,
  readJson,
} from "../support/fixtures.ts";
import { loadQwen, qwenLogits } from "./qwen_network.ts";

for (const folder of [...fixtureFolders("sdar"), ...fixtureFolders("fast_dllm")]) {
  Deno.test(`qwenLogits() gives the recorded logits of ${basename(folder)}`, () => {
    const { block_size: blockSize } = readJson(join(folder, "meta.json")) as {
      block_size: number;
    };
    const recorded = readFixture(join(folder, "hidden.safetensors"));
    const tokens = integersOf(recorded, "tokens");
    const logits = qwenLogits(loadQwen(folder), tokens, blockSize);
    assertClose(logits, floatsOf(recorded, "logits"));
  });
}
