import { assertEquals } from "@std/assert";
import { embed, embedBackward, sortByToken } from "../../../kernels/training/embed.ts";
import { embedBackward as referenceBackward } from "../../reference/backward.ts";
import { embed as referenceEmbed } from "../../reference/forward.ts";
import {
  assertClose,
  gpuTest,
  noise,
  readFloats,
  runAndRead,
  upload,
  uploadWords,
} from "../../support/gpu.ts";

for (const [rows, vocabulary, width] of [[1, 32, 32], [40, 64, 96], [300, 96, 256]] as const) {
  const tokens = Array.from(
    noise(rows, 1),
    (each) => Math.floor((each + 1) / 2 * (vocabulary - 1)),
  );
  const table = noise(vocabulary * width, 2);
  const dx = noise(rows * width, 3);

  gpuTest(
    `embed() and its way back match the reference for ${rows} rows of ${width}`,
    async (gpu) => {
      using tensorTokens = uploadWords(gpu, tokens);
      using tensorTable = upload(gpu, [vocabulary, width], table);
      const x = await runAndRead(
        gpu,
        (pass) => embed(pass, { tokens: tensorTokens, rows, table: tensorTable }),
      );
      assertClose(x, referenceEmbed(tokens, table, width), { tolerance: 0 }, "x");

      const sorted = sortByToken(tokens, vocabulary);
      using uses = uploadWords(gpu, sorted.uses);
      using order = uploadWords(gpu, sorted.order);
      using tensorDx = upload(gpu, [rows, width], dx);
      using gradient = upload(gpu, [vocabulary, width], table);
      const pass = gpu.pass();
      const operands = { dx: tensorDx, uses, order, tokens: uses.length / 3, gradient };
      embedBackward(pass, operands);
      pass.submit();
      const expected = referenceBackward(dx, tokens, { vocabulary, width });
      assertClose(await readFloats(gpu, gradient), expected.map((each, i) => each + table[i]!));
    },
  );
}

Deno.test("sortByToken() keeps the order of rows within a token", () => {
  const { uses, order } = sortByToken([5, 2, 5, 0, 2, 5], 6);
  assertEquals([...uses], [0, 0, 1, 2, 1, 3, 5, 3, 6]);
  assertEquals([...order], [3, 1, 4, 0, 2, 5]);
});
