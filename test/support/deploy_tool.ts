import {
  type DeployTool,
  findDeployTool,
  missingTools,
} from "../../src/commands/deploy_tools_setup.ts";
import { thisSystem } from "../../src/commands/system_packages.ts";
import { type Outcome, ROOT } from "./process.ts";

/** Where the program is. @throws {Error} That says how to install it. */
export function pathOfTool(tool: DeployTool): string {
  const path = findDeployTool(tool);
  if (path === null) throw new Error(missingTools([tool], thisSystem({})));
  return path;
}

/** Runs a program that checks a file of `deploy/` to its end. */
export async function runTool(tool: DeployTool, args: readonly string[]): Promise<Outcome> {
  const { code, stdout, stderr } = await new Deno.Command(pathOfTool(tool), {
    args: [...args],
    cwd: ROOT,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { status: code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Text of a file of the project, with what it says of other machines put right for this one. */
export async function adapted(
  path: string,
  changes: readonly (readonly [from: string, to: string])[],
): Promise<string> {
  let text = await Deno.readTextFile(ROOT + path);
  for (const [from, to] of changes) {
    if (text.split(from).length !== 2) {
      throw new Error(`Cannot adapt ${path}: ${JSON.stringify(from)} is not there once`);
    }
    text = text.replace(from, () => to);
  }
  return text;
}
