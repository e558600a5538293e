/** A process that runs `deno ARGUMENTS` as the launcher does: the tests send signals to it. */
import { runChild } from "../../src/commands/child.ts";

Deno.exit(
  await runChild({ args: Deno.args, environment: Deno.env.toObject(), stdin: "leash" }),
);
