import { basename } from "@std/path";
import { assertEquals } from "@std/assert";
import { fixtureFolders } from "../support/fixtures.ts";
import { loadNetwork } from "../support/forward.ts";
import { gpuTest } from "../support/gpu.ts";
import { type Played, playTrace } from "../support/trace_player.ts";
import { readTrace, type Trace, traceFiles } from "../support/traces.ts";

function checkPlayed({ tokens, nfe, steps }: Played, trace: Trace): void {
  for (const [iteration, recorded] of trace.steps.entries()) {
    const { block, i, n_masked, x_after } = recorded;
    const where = `iteration ${iteration}`;
    const played = steps[iteration]!;
    assertEquals(played.x_after, x_after, where);
    assertEquals([played.block, played.i, played.n_masked], [block, i, n_masked], where);
    if ("pos" in recorded) {
      assertEquals([played.index, played.pos], [recorded.index, recorded.pos], where);
    } else {
      assertEquals(played.reused, recorded.reused_p_x0, where);
    }
  }
  assertEquals(steps.length, trace.steps.length);
  assertEquals(tokens, trace.tokens);
  assertEquals(nfe, trace.nfe);
}

for (const folder of fixtureFolders()) {
  for (const path of traceFiles(folder)) {
    const name = `${basename(folder)}/${basename(path, ".json")}`;
    const trace = readTrace(path);

    gpuTest(`${name} is repeated step by step, token for token`, async (gpu) => {
      using network = loadNetwork(gpu, folder, { format: "f32" });
      checkPlayed(await playTrace(gpu, network, trace), trace);
    });

    if (!trace.same_tokens_with_and_without_kv_cache) continue;
    const { kv_cache: isCached } = trace;
    gpuTest(`${name} has the same tokens ${isCached ? "without" : "with"} a cache`, async (gpu) => {
      using network = loadNetwork(gpu, folder, { format: "f32" });
      checkPlayed(await playTrace(gpu, network, { ...trace, kv_cache: !isCached }), trace);
    });
  }
}
