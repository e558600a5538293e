import { assert, assertEquals } from "@std/assert";
import { parseConfig } from "../../src/commands/config.ts";
import { ROOT, runDeno } from "../support/process.ts";
import { EXCUSES, RUN } from "./coverage.ts";
import { type Command, commandsOf, listDocuments } from "./documents.ts";
import { Workshop } from "./workshop.ts";

const { tasks } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
const documents = await listDocuments();
const commands = (await Promise.all(documents.map(commandsOf))).flat();

/** What running text says of ways to start things, and means as no command. */
const MENTIONS = ["deno task", "deno task …", "deno serve main.ts"];

/** Whether running text only names a task. */
function isMention({ text }: Command): boolean {
  const [, name = ""] = /^deno task (\w+)$/.exec(text) ?? [];
  return MENTIONS.includes(text) || Object.hasOwn(tasks, name);
}

function isCovered({ text }: Command): boolean {
  return Object.hasOwn(RUN, text) || Object.hasOwn(EXCUSES, text);
}

function flagsOf(command: string): string[] {
  return command.match(/(?<=\s)--[a-z][\w-]*/g) ?? [];
}

Deno.test("every command of every document is run, or excused for a reason", () => {
  const unknown = commands.filter((each) => !isCovered(each) && !isMention(each));
  assertEquals(unknown, []);
  const known = commands.map(({ text }) => text);
  const gone = [...Object.keys(RUN), ...Object.keys(EXCUSES)]
    .filter((each) => !known.includes(each));
  assertEquals(gone, []);
});

Deno.test("what runs in place of a command has its flags", () => {
  for (const [command, { shortened = command }] of Object.entries(RUN)) {
    const flags = flagsOf(shortened);
    assertEquals([command, flagsOf(command).filter((each) => !flags.includes(each))], [
      command,
      [],
    ]);
  }
});

Deno.test("commands that are not run have flags that there are", async () => {
  const excused = Object.entries(EXCUSES);
  const names = new Set(excused.flatMap(([, { task }]) => task ?? []));
  const helps = await Promise.all([...names].map(async (name) => {
    const args = ["run", "--allow-all", `${ROOT}src/commands/launch.ts`, name, "--help"];
    const { stdout, stderr } = await runDeno(args, { BD_NO_INSTALL: "1" });
    return [name, stdout + stderr] as const;
  }));
  const helpOf = new Map(helps);
  for (const [command, { task, image }] of excused) {
    if (task !== undefined) {
      const [, subcommand = ""] = /^deno task (?:bench|paper) (\w+)/.exec(command) ?? [];
      const missing = [...flagsOf(command), subcommand]
        .filter((each) => !helpOf.get(task)!.includes(each));
      assertEquals([command, missing], [command, []]);
    }
    if (image !== undefined) {
      const words = command.split(" ");
      parseConfig(words.slice(words.lastIndexOf(image) + 1), {});
    }
  }
});

Deno.test("the commands of the documents do what they are there for", async () => {
  await using workshop = await Workshop.open();
  const ran = new Set<string>();
  await Promise.all(documents.map(async (document) => {
    for (const { text } of commands.filter((each) => each.document === document)) {
      const run = Object.hasOwn(RUN, text) ? RUN[text]! : null;
      if (run === null || ran.has(text)) continue;
      ran.add(text);
      const { shortened = text, serves = false, input = "" } = run;

      if (serves) await workshop.serve(shortened);
      else await workshop.run(shortened, { input });
    }
  }));
  assert(ran.size === Object.keys(RUN).length);
});
