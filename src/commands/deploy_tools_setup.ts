import {
  canInstall,
  installCommand,
  installPackages,
  type Packages,
  type System,
  thisSystem,
} from "./system_packages.ts";

/** Programs that tests let read the files of `deploy/`, and what Debian packages them in. */
const DEBIAN_PACKAGES = { nginx: "nginx-light", caddy: "caddy", "systemd-analyze": "systemd" };

/** A program that reads a file of `deploy/`. */
export type DeployTool = keyof typeof DEBIAN_PACKAGES;

const TOOLS: readonly DeployTool[] = ["nginx", "caddy", "systemd-analyze"];
/** Servers are in directories that not every user's PATH has. */
const DIRECTORIES = ["/usr/sbin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"];
const POLICY = "/usr/sbin/policy-rc.d";

/** What setting the programs up needs of the machine. */
export interface DeployMachine extends System {
  /** Path of a program; `null` where it is not installed. */
  readonly find: (tool: DeployTool) => string | null;
  /** Keeps packages that are installed by `work` from starting the servers that they bring. */
  readonly withoutServices: <T>(work: () => Promise<T>) => Promise<T>;
}

/**
 * Finds the programs that check the files of `deploy/`, and installs those that are missing: on
 * Debian and its descendants, as root. Where that cannot be it says what to run: the tests that
 * need none of them go on.
 */
export async function ensureDeployTools(machine: DeployMachine): Promise<void> {
  const missing = TOOLS.filter((tool) => machine.find(tool) === null);
  if (missing.length === 0) return;
  if (!canInstall(machine)) return machine.say(missingTools(missing, machine));
  const packages = packagesOf(missing);
  machine.say(`Installing ${packages.debian.join(", ")} with apt-get, for tests of deploy/`);
  const problem = await machine.withoutServices(() => installPackages(machine, packages));
  if (problem !== null) machine.say(`Cannot find ${missing.join(", ")}: ${problem}`);
}

/** The machine this process runs on. */
export function thisDeployMachine(environment: Readonly<Record<string, string>>): DeployMachine {
  return { ...thisSystem(environment), find: findDeployTool, withoutServices };
}

/** Path of a program; `null` where it is not installed. */
export function findDeployTool(tool: DeployTool): string | null {
  return DIRECTORIES.map((directory) => `${directory}/${tool}`).find(isFile) ?? null;
}

/** What to tell where programs are missing. */
export function missingTools(
  missing: readonly DeployTool[],
  system: Pick<System, "osRelease" | "isRoot">,
): string {
  return `Cannot find ${missing.join(", ")}, which tests of deploy/ need. Run: ${
    installCommand(packagesOf(missing), system)
  }`;
}

function packagesOf(tools: readonly DeployTool[]): Packages {
  const others = tools.map((tool) => tool === "systemd-analyze" ? "systemd" : tool);
  return {
    debian: tools.map((tool) => DEBIAN_PACKAGES[tool]),
    fedora: others,
    arch: others,
    other: `the installer of ${others.join(", ")}`,
  };
}

/** Debian's way: what this file says is asked before a package starts a service. */
async function withoutServices<T>(work: () => Promise<T>): Promise<T> {
  // Whoever made one, as containers do, has decided for himself.
  if (isFile(POLICY)) return await work();
  // 101: not allowed.
  await Deno.writeTextFile(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    return await work();
  } finally {
    await Deno.remove(POLICY);
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    // Not there, or not to be seen: either way it cannot be started.
    return false;
  }
}
