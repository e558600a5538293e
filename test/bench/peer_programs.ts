import { join } from "@std/path";

const SCRIPTS = join(import.meta.dirname!, "peers");
// Debian installs packages for its own Python, which another one may hide.
const PYTHONS = ["python3", "/usr/bin/python3"];

/**
 * What the JSON lines say that a program started among the scripts prints.
 *
 * @throws {Error} If it fails.
 */
export async function runPeer(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<unknown[]> {
  const { success, stdout, stderr } = await output(program, args, environment);
  if (!success) throw new Error(`Cannot measure: ${program} ${args.join(" ")} failed:\n${stderr}`);
  return stdout.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
}

async function output(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
) {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd: SCRIPTS,
    env: { ...environment },
  }).output();
  const text = new TextDecoder();
  return { success, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/**
 * A Python that has PyTorch.
 *
 * @throws {Error} If there is none.
 */
export async function findPython(): Promise<string> {
  for (const python of PYTHONS) {
    if (await hasTorch(python)) return python;
  }
  throw new Error(
    `Cannot measure PyTorch: neither ${PYTHONS.join(" nor ")} can import torch. On Debian, run: ` +
      "apt-get install -y --no-install-recommends python3-torch libopenblas0",
  );
}

async function hasTorch(python: string): Promise<boolean> {
  try {
    return (await output(python, ["-c", "import torch"])).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
