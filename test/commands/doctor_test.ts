import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { findAdapter } from "../../src/commands/adapter.ts";
import { parseConfig } from "../../src/commands/config.ts";
import { diagnose, type Diagnosis, run } from "../../src/commands/doctor.ts";
import { formatDiagnosis } from "../../src/commands/doctor_text.ts";
import { tinyTokenizer, writeJson } from "../support/checkpoints.ts";
import { writeTinyQwen } from "../support/qwen_checkpoints.ts";

// Of the shipped checkpoint, which is F16; from its README.
const PARAMETERS = 7_161_152;

const NO_NVIDIA = { hasNvidia: false };

Deno.test("diagnose() finds a machine with an adapter and the shipped model fit", async () => {
  const { adapter, models, problems, hints } = await diagnose(
    await findAdapter(),
    parseConfig([], {}),
    NO_NVIDIA,
  );
  assert(adapter);
  assert(adapter.limits.maxStorageBufferBindingSize >= 2 ** 27);
  assertEquals(problems, []);
  assertEquals(hints.length, adapter.is_cpu ? 1 : 0);
  assertEquals(models.map(({ id }) => id), ["tinystories-bd3lm"]);
  const weights = models[0]?.memory?.weights ?? 0;
  // The conditioning is computed at load and not kept.
  assert(weights > 1.9 * PARAMETERS && weights < 2.1 * PARAMETERS, `weights take ${weights}`);
});

Deno.test("diagnose() says what a machine without an adapter needs", async () => {
  const { adapter, problems } = await diagnose(null, parseConfig([], {}), NO_NVIDIA);
  assertEquals(adapter, null);
  assertEquals(problems.length, 1);
  assertStringIncludes(problems[0]!, "There is no WebGPU adapter; run as root: ");
});

Deno.test("diagnose() says what a GPU of NVIDIA needs that Vulkan does not show", async () => {
  const machine = { hasNvidia: true };
  const { problems } = await diagnose(null, parseConfig([], {}), machine);
  const adapter = await findAdapter();
  const { hints } = await diagnose(adapter, parseConfig([], {}), machine);
  for (const line of [...problems, ...hints]) {
    assertMatch(line, /run as root: .*(libx11-6 libxext6 libegl1|libX11|libx11)/);
    assertStringIncludes(line, "NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics");
  }
  assertEquals(problems.length, 1);
});

Deno.test("diagnose() refuses a model that cannot be loaded or does not fit", async () => {
  const adapter = await findAdapter();
  const missing = await diagnose(
    adapter,
    parseConfig(["--model", "lost=/nonexistent"], {}),
    NO_NVIDIA,
  );
  assertStringIncludes(missing.problems.join(), "Model lost cannot be served");
  assertEquals(missing.models[0]?.memory, null);

  const environment = { BD_DEVICE_MEMORY: "1000000" };
  const large = await diagnose(adapter, parseConfig(["--weights", "f32"], environment), NO_NVIDIA);
  const total = large.models[0]?.memory?.total;
  assertEquals(large.problems, [
    `Model tinystories-bd3lm needs ${total} bytes on the device, which has 1000000; ` +
    "choose a smaller model, a smaller --max-concurrent or --weights int8",
  ]);
  const smaller = await diagnose(
    adapter,
    parseConfig(["--weights", "int8"], environment),
    NO_NVIDIA,
  );
  assert(smaller.problems[0]!.endsWith("--max-concurrent or --weights int4"));
  const smallest = await diagnose(
    adapter,
    parseConfig(["--weights", "int4"], environment),
    NO_NVIDIA,
  );
  const bytes = [large, smaller, smallest].map(({ models }) => models[0]?.memory?.weights ?? NaN);
  assert(bytes[1]! < bytes[0]! / 3 && bytes[2]! < bytes[1]! * 0.8, `${bytes}`);
  assert(smallest.problems[0]!.endsWith("choose a smaller model, a smaller --max-concurrent"));
});

Deno.test("diagnose() finds the mask of a model in the tokenizer that it is given", async () => {
  const [model, tokenizer] = [Deno.makeTempDirSync(), Deno.makeTempDirSync()];
  try {
    writeTinyQwen(model, { config: { vocab_size: 300 } });
    Deno.removeSync(join(model, "tokenizer_config.json"));
    writeJson(join(tokenizer, "tokenizer.json"), tinyTokenizer());
    const config = parseConfig(["--model", `m=${model}`, "--tokenizer", tokenizer], {});
    const { models: [found] } = await diagnose(null, config, NO_NVIDIA);
    assert(found?.report.ok, JSON.stringify(found));
    assertEquals(found.memory?.total, found.report.memory_bytes.f32);
  } finally {
    for (const each of [model, tokenizer]) Deno.removeSync(each, { recursive: true });
  }
});

Deno.test("run() gives status 1 where a model cannot be loaded", async () => {
  assertEquals(await run(["--json", "--model", "/nonexistent"]), 1);
});

Deno.test("formatDiagnosis() prints a table, then what to do", () => {
  const diagnosis: Diagnosis = {
    deno: "2.9.6",
    adapter: {
      name: "NVIDIA H100",
      vendor: "NVIDIA",
      is_cpu: false,
      f16: true,
      timestamp_query: false,
      subgroup_size: 32,
      wide_loads: null,
      limits: {
        maxBufferSize: 2 ** 31 + 2 ** 30,
        maxStorageBufferBindingSize: 2 ** 27,
        maxStorageBuffersPerShaderStage: 8,
        maxComputeInvocationsPerWorkgroup: 256,
        maxComputeWorkgroupStorageSize: 16384,
        maxComputeWorkgroupsPerDimension: 65535,
      },
    },
    device_memory_bytes: null,
    models: [{
      id: "lost",
      report: { ok: false, file: "config.json", code: "missing_file", message: "none" },
      memory: null,
    }],
    problems: ["Do this"],
    hints: ["And that"],
  };
  assertEquals(
    formatDiagnosis(diagnosis),
    [
      "deno                               2.9.6",
      "adapter                            NVIDIA H100",
      "vendor                             NVIDIA",
      "kind                               GPU",
      "f16 arithmetic                     yes",
      "timestamps                         no",
      "subgroups                          yes, of 32 lanes",
      "maxBufferSize                      3 GiB",
      "maxStorageBufferBindingSize        128 MiB",
      "maxStorageBuffersPerShaderStage    8",
      "maxComputeInvocationsPerWorkgroup  256",
      "maxComputeWorkgroupStorageSize     16 KiB",
      "maxComputeWorkgroupsPerDimension   65535",
      "device memory                      unknown",
      "model                              lost, cannot be loaded",
      "",
      "This machine cannot serve yet:",
      "- Do this",
      "- And that",
    ].join("\n"),
  );
});
