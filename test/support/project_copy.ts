import { dirname } from "@std/path";
import { ROOT } from "./process.ts";

/** Copies files and directories of the project, named from its own directory, into another. */
export async function copyProject(directory: string, names: readonly string[]): Promise<void> {
  for (const name of names) await copyTree(ROOT + name, `${directory}/${name}`);
}

async function copyTree(from: string, to: string): Promise<void> {
  if ((await Deno.stat(from)).isFile) {
    await Deno.mkdir(dirname(to), { recursive: true });
    return await Deno.copyFile(from, to);
  }
  for await (const { name } of Deno.readDir(from)) {
    await copyTree(`${from}/${name}`, `${to}/${name}`);
  }
}
