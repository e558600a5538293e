import { assertEquals } from "@std/assert";
import { echoFilter } from "../../src/commands/child.ts";
import { ROOT, RunningDeno } from "../support/process.ts";

/** A launcher with a child that runs `code`. */
function launch(code: string): RunningDeno {
  return new RunningDeno(["run", "--allow-all", `${ROOT}test/support/run_child.ts`, "eval", code]);
}

// Says what it gets, and leaves at SIGTERM with a status of its own.
const LISTENER = `
  Deno.addSignalListener("SIGINT", () => console.log("SIGINT"));
  Deno.addSignalListener("SIGTERM", () => {
    console.log("SIGTERM");
    Deno.exit(7);
  });
  setInterval(() => {}, 1000);
  console.log("ready");
`;

Deno.test("runChild() passes signals on and gives the child's status", async () => {
  await using launcher = launch(LISTENER);
  assertEquals(await launcher.line(), "ready");
  launcher.process.kill("SIGINT");
  assertEquals(await launcher.line(), "SIGINT");
  launcher.process.kill("SIGTERM");
  assertEquals(await launcher.line(), "SIGTERM");
  assertEquals((await launcher.process.status).code, 7);
  assertEquals(await launcher.line(), null);
});

Deno.test("runChild() gives 128 + the signal that ended the child", async () => {
  await using launcher = launch(`console.log("ready"); setInterval(() => {}, 1000)`);
  assertEquals(await launcher.line(), "ready");
  launcher.process.kill("SIGTERM");
  assertEquals((await launcher.process.status).code, 143);
});

Deno.test("runChild() puts the child into a process group of its own", async () => {
  await using launcher = launch(`
    const stat = Deno.readTextFileSync("/proc/self/stat").split(") ")[1].split(" ");
    console.log(Number(stat[2]) === Deno.pid);
  `);
  assertEquals(await launcher.line(), "true");
});

Deno.test("followLauncher() ends a child whose launcher was killed", async () => {
  await using launcher = launch(`
    import { followLauncher } from "${ROOT}src/commands/leash.ts";
    Deno.env.set("BD_STDIN_LEASH", "1");
    followLauncher();
    console.log("ready");
  `);
  assertEquals(await launcher.line(), "ready");
  launcher.process.kill("SIGKILL");
  assertEquals((await launcher.process.status).signal, "SIGKILL");
  // The child held the other end of stdout.
  assertEquals(await launcher.line(), null);
});

Deno.test("echoFilter() drops what follows within the time of an echo", () => {
  const isNew = echoFilter(20);
  assertEquals([0, 1, 20, 41, 62, 62].map(isNew), [true, false, false, true, true, false]);
});
