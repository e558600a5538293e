import { assertEquals, assertStringIncludes } from "@std/assert";
import { COMMANDS } from "../../src/commands/commands.ts";
import { ROOT, runDeno } from "../support/process.ts";

function runMain(...args: string[]) {
  return runDeno(["run", "--no-prompt", "--frozen", `${ROOT}main.ts`, ...args]);
}

for (const args of [["--help"], ["help"], ["-h"]]) {
  Deno.test(`main.ts ${args.join(" ")} lists commands and settings`, async () => {
    const { status, stdout } = await runMain(...args);
    assertEquals(status, 0);
    assertStringIncludes(stdout, "doctor            say whether this machine can serve");
    assertStringIncludes(stdout, "--max-queue N");
  });
}

for (const command of Object.keys(COMMANDS)) {
  Deno.test(`main.ts ${command} --help explains it without any permission`, async () => {
    const { status, stdout, stderr } = await runMain(command, "--help");
    assertEquals([status, stderr], [0, ""]);
    assertStringIncludes(stdout, `Usage: deno task ${command}`);
  });
}

Deno.test("main.ts without arguments does nothing but export", async () => {
  const { status, stdout, stderr } = await runMain();
  assertEquals([status, stdout], [0, ""]);
  // Deno's own advice, and nothing else.
  assertStringIncludes(stderr, 'did you mean to run "deno serve"?');
});

for (const command of ["dance", "constructor"]) {
  Deno.test(`main.ts ${command} is refused with status 2`, async () => {
    const { status, stderr } = await runMain(command);
    assertEquals(status, 2);
    assertStringIncludes(stderr, `Cannot run "${command}": it is no command`);
  });
}

Deno.test("main.ts gives the status of the command", async () => {
  assertEquals((await runMain("check")).status, 2);
});
