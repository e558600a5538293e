import { assertEquals } from "@std/assert";
import { adapted, runTool } from "../support/deploy_tool.ts";

Deno.test("systemd finds the service's unit sound", async () => {
  const directory = await Deno.makeTempDir({ prefix: "blockdiffusion-systemd-" });
  try {
    // It looks whether the program is there, which elsewhere it is.
    const program = ["/usr/local/bin/deno task", `${Deno.execPath()} task`] as const;
    const path = `${directory}/blockdiffusion.service`;
    await Deno.writeTextFile(path, await adapted("deploy/blockdiffusion.service", [program]));
    // Keys that it does not know it ignores, but says so.
    const { status, stderr } = await runTool("systemd-analyze", ["verify", path]);
    assertEquals([status, stderr], [0, ""]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
