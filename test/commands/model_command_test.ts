import { assertEquals } from "@std/assert";
import { delay } from "@std/async";
import { ROOT, RunningDeno } from "../support/process.ts";

Deno.test("processSurroundings() tells of one signal after the other where it is asked to", async () => {
  const script = `
    import { processSurroundings } from "${
    import.meta.resolve("../../src/commands/model_command.ts")
  }";
    let heard = 0;
    processSurroundings().onInterrupt((status) => {
      console.log(status);
      heard += 1;
      return heard < 2 ? "again" : undefined;
    });
    setInterval(() => {}, 1000);
    console.log("ready");`;
  const module = `data:text/javascript,${encodeURIComponent(script)}`;
  await using running = new RunningDeno(["run", "-A", "--config", `${ROOT}deno.json`, module]);
  assertEquals(await running.line(), "ready");
  for (const _ of ["first", "second"]) {
    running.process.kill("SIGINT");
    assertEquals(await running.line(), "130");
  }
  // Nobody listens any more, once the last listener has gone: a signal that it takes along is lost.
  let hasEnded = false;
  const status = running.process.status.finally(() => hasEnded = true);
  while (!hasEnded) {
    running.process.kill("SIGINT");
    await Promise.race([status, delay(100)]);
  }
  assertEquals((await status).signal, "SIGINT");
});
