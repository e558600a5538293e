import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ROOT, runDeno } from "../support/process.ts";

const LAUNCH = ["run", "--allow-all", `${ROOT}src/commands/launch.ts`];
// Hides every Vulkan driver from the loader.
const NO_ADAPTER = {
  VK_DRIVER_FILES: "/nonexistent",
  VK_ICD_FILENAMES: "/nonexistent",
  BD_NO_INSTALL: "1",
};

Deno.test("launch refuses an unknown task with status 2", async () => {
  const { status, stderr } = await runDeno([...LAUNCH, "dance"]);
  assertEquals(status, 2);
  assertStringIncludes(stderr, 'Cannot start "dance". Usage: deno task serve|');
});

Deno.test("launch refuses a bad setting before it looks for an adapter", async () => {
  const { status, stderr } = await runDeno([...LAUNCH, "serve", "--port", "http"], NO_ADAPTER);
  assertEquals(status, 2);
  assertEquals(
    stderr,
    'Cannot read --port: value is "http", expected an integer from 0 to 65535\n',
  );
});

for (const task of ["serve", "generate", "profile", "test", "bench"]) {
  Deno.test(`launch ${task} without an adapter says what to run, with status 1`, async () => {
    const { status, stdout, stderr } = await runDeno([...LAUNCH, task], NO_ADAPTER);
    assertEquals(status, 1);
    assertEquals(stdout, "");
    assertStringIncludes(stderr, "Cannot find a GPU: this machine has no WebGPU adapter");
    assertStringIncludes(stderr, "Run: ");
  });
}

Deno.test("launch doctor without an adapter runs all the same", async () => {
  const { status, stdout } = await runDeno([...LAUNCH, "doctor", "--json"], NO_ADAPTER);
  assertEquals(status, 1);
  assertEquals(JSON.parse(stdout).adapter, null);
});

Deno.test("launch check needs no adapter", async () => {
  const model = `${ROOT}models/tinystories-bd3lm`;
  const { status, stdout } = await runDeno([...LAUNCH, "check", model], NO_ADAPTER);
  assertEquals(status, 0);
  assertEquals(JSON.parse(stdout).ok, true);
});

Deno.test("launch soak needs an adapter for a real model only", async () => {
  const args = ["soak", "--minutes", "many"];
  const { status, stderr } = await runDeno([...LAUNCH, ...args], NO_ADAPTER);
  assertEquals(status, 2);
  assertStringIncludes(stderr, 'Cannot soak for "many" minutes');
  const real = await runDeno([...LAUNCH, ...args, "--model", "models/any"], NO_ADAPTER);
  assertEquals(real.status, 1);
  assertStringIncludes(real.stderr, "Cannot find a GPU");
});

Deno.test("launch paper needs an adapter to measure only", async () => {
  const { status, stderr } = await runDeno([...LAUNCH, "paper", "draw", "--large"], NO_ADAPTER);
  assertEquals(status, 2);
  assertStringIncludes(stderr, "Usage: deno task paper quality");
  const measuring = await runDeno([...LAUNCH, "paper", "quality"], NO_ADAPTER);
  assertEquals(measuring.status, 1);
  assertStringIncludes(measuring.stderr, "Cannot find a GPU");
});

Deno.test("launch test passes arguments on and ends with the counts", async () => {
  const args = ["test/commands/device_memory_test.ts", "--filter", "parseNvidiaMemory"];
  const { status, stdout } = await runDeno([...LAUNCH, "test", "--no-check", ...args]);
  assertEquals(status, 0);
  assert(stdout.endsWith("\n1 passed, 0 failed\n"), stdout);
});

Deno.test("launch test fails when a test file cannot be loaded", async () => {
  const { status, stdout } = await runDeno([...LAUNCH, "test", "test/no_such_test.ts"]);
  assertEquals(status, 1);
  assertEquals(stdout, "0 passed, 1 failed\n");
});
