import { assert, assertEquals } from "@std/assert";
import { COMMANDS, describeCommands, isCommand } from "../../src/commands/commands.ts";
import { ROOT } from "../support/process.ts";

Deno.test("COMMANDS are tasks of deno.json, each started by the launcher", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  for (const name of Object.keys(COMMANDS)) {
    assertEquals(tasks[name], `deno run --allow-all src/commands/launch.ts ${name}`);
  }
});

Deno.test("isCommand() knows commands and nothing else", () => {
  assertEquals(["serve", "chat", "constructor", "--help", ""].map(isCommand), [
    true,
    true,
    false,
    false,
    false,
  ]);
});

Deno.test("describeCommands() gives one aligned line per command", () => {
  const lines = describeCommands().split("\n");
  assertEquals(lines.length, Object.keys(COMMANDS).length);
  assert(lines.includes("  chat              chat with the model on the terminal"));
});
