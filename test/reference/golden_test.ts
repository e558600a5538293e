import { assert, assertEquals } from "@std/assert";
import { assertClose } from "../support/assert_close.ts";
import { ORIGINAL_MODEL } from "../support/original_model.ts";
import { goldenCases, readGolden } from "./golden.ts";
import { loadNetwork } from "./network.ts";

/** Of the original's vocabulary. */
const MASK = 4095;
/** Both sides are rounded to five decimals; PyTorch computed in float32. */
const TOLERANCE = 2e-5;

Deno.test("goldenCases() gives what PyTorch gave for the original model", () => {
  const { cases } = readGolden(ORIGINAL_MODEL.directory);
  const network = loadNetwork(ORIGINAL_MODEL.directory);
  const spell = (id: number) => `token ${id}`;
  const found = goldenCases(network, { asked: cases, mask: MASK, spell });
  assertEquals(found.length, 4);
  for (const [i, { positions, ...input }] of found.entries()) {
    const { positions: expected, ...asked } = cases[i]!;
    assertEquals(input, asked);
    assertEquals(positions.length, expected.length);
    for (const [j, each] of positions.entries()) {
      const { top5_ids, top5_logprobs, ...other } = expected[j]!;
      assertEquals(each.top5_ids, top5_ids);
      assertEquals(each.top5_tokens, top5_ids.map(spell));
      const far = each.top5_logprobs.map((value, k) => Math.abs(value - top5_logprobs[k]!));
      assert(Math.max(...far) < TOLERANCE, `${far}`);
      const moments = [other.logit_mean, other.logit_std];
      assertClose([each.logit_mean, each.logit_std], moments, { tolerance: TOLERANCE });
    }
  }
});
