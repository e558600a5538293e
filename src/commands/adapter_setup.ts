import { fromFileUrl } from "@std/path";
import { GpuError } from "../gpu/errors.ts";
import type { Adapter } from "./adapter.ts";
import {
  canInstall,
  installCommand,
  installPackages,
  type Packages,
  type System,
  thisSystem,
} from "./system_packages.ts";

/** Mesa's software Vulkan, and the loader. */
const VULKAN: Packages = {
  debian: ["mesa-vulkan-drivers", "libvulkan1"],
  fedora: ["mesa-vulkan-drivers", "vulkan-loader"],
  arch: ["vulkan-swrast", "vulkan-icd-loader"],
  other: "the installer of your GPU's driver, or install Mesa's software Vulkan (lavapipe)",
};
const NAMES = VULKAN.debian.join(" and ");

/** What setting up an adapter needs of the machine. */
export interface Machine extends System {
  /** Asks for an adapter in a fresh process. */
  readonly probe: () => Promise<Adapter | null>;
}

/**
 * Finds a WebGPU adapter, and installs Mesa's software Vulkan where there is none: on Debian and
 * its descendants, as root.
 *
 * @throws {GpuError} If there is none in the end; says which command helps.
 */
export async function ensureAdapter(machine: Machine): Promise<Adapter> {
  const found = await machine.probe();
  if (found) return found;
  if (!canInstall(machine)) throw missing(`Run: ${remedy(machine)}`);
  machine.say(`No WebGPU adapter found: installing ${NAMES} with apt-get`);
  const problem = await installPackages(machine, VULKAN);
  if (problem !== null) throw missing(problem);
  const installed = await machine.probe();
  if (installed) return installed;
  throw missing(`${NAMES} are installed and did not help`);
}

/** The machine this process runs on. */
export function thisMachine(environment: Readonly<Record<string, string>>): Machine {
  return { ...thisSystem(environment), probe: () => probe(environment) };
}

/** The command that brings an adapter to a machine without one. */
export function remedy(system: Pick<Machine, "osRelease" | "isRoot">): string {
  return installCommand(VULKAN, system);
}

function missing(advice: string): GpuError {
  return new GpuError(
    `Cannot find a GPU: this machine has no WebGPU adapter, expected a Vulkan driver. ${advice}`,
  );
}

async function probe(environment: Readonly<Record<string, string>>): Promise<Adapter | null> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", fromFileUrl(new URL("adapter_probe.ts", import.meta.url))],
    env: environment,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new GpuError(`Cannot look for a GPU: ${decoder.decode(stderr).trim()}`);
  return JSON.parse(decoder.decode(stdout));
}
