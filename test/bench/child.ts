import { resolve } from "@std/path";

const ROOT = resolve(import.meta.dirname!, "../..");

/**
 * Runs a script of this directory in a process of its own and gives what it prints as JSON.
 *
 * @throws {Error} If it fails.
 */
export async function runScript(
  script: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", resolve(import.meta.dirname!, script)],
    cwd: ROOT,
    env: { ...environment },
  }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`Cannot measure: ${script} failed:\n${text.decode(stderr)}`);
  return JSON.parse(text.decode(stdout));
}
