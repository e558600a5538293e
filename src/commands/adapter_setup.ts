import { fromFileUrl } from "@std/path";
import { GpuError } from "../gpu/errors.ts";
import type { Adapter } from "./adapter.ts";

const PACKAGES = ["mesa-vulkan-drivers", "libvulkan1"];
const UPDATE = ["apt-get", "update"];
// Another apt may be at work on a machine that was just set up.
const INSTALL = [
  ...["apt-get", "-o", "DPkg::Lock::Timeout=120", "install", "-y", "--no-install-recommends"],
  ...PACKAGES,
];

/** Where Linux says which distribution it is. */
export const OS_RELEASE = "/etc/os-release";

/** What setting up an adapter needs of the machine. */
export interface Machine {
  /** Asks for an adapter in a fresh process. */
  readonly probe: () => Promise<Adapter | null>;
  /** Runs a command to its end. */
  readonly run: (command: readonly string[]) => Promise<{ success: boolean; output: string }>;
  readonly isRoot: boolean;
  /** Text of `/etc/os-release`; `null` where there is none. */
  readonly osRelease: string | null;
  readonly mayInstall: boolean;
  /** Tells the user what is going on. */
  readonly say: (line: string) => void;
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
  if (!machine.mayInstall || !machine.isRoot || systemOf(machine) !== "debian") {
    throw missing(`Run: ${remedy(machine)}`);
  }
  machine.say(`No WebGPU adapter found: installing ${PACKAGES.join(" and ")} with apt-get`);
  await install(machine);
  const installed = await machine.probe();
  if (installed) return installed;
  throw missing(`${PACKAGES.join(" and ")} are installed and did not help`);
}

/** The machine this process runs on. */
export function thisMachine(environment: Readonly<Record<string, string>>): Machine {
  return {
    probe: () => probe(environment),
    run,
    isRoot: Deno.build.os === "linux" && Deno.uid() === 0,
    osRelease: readOsRelease(),
    mayInstall: ["", "0"].includes(environment.BD_NO_INSTALL ?? ""),
    say: (line) => console.error(line),
  };
}

/** The command that brings an adapter to a machine without one. */
export function remedy({ osRelease, isRoot }: Pick<Machine, "osRelease" | "isRoot">): string {
  const sudo = isRoot ? "" : "sudo ";
  switch (systemOf({ osRelease })) {
    case "debian":
      return `${sudo}apt-get update && ${sudo}apt-get install -y --no-install-recommends ` +
        PACKAGES.join(" ");
    case "fedora":
      return `${sudo}dnf install -y mesa-vulkan-drivers vulkan-loader`;
    case "arch":
      return `${sudo}pacman -S vulkan-swrast vulkan-icd-loader`;
    case "other":
      return "the installer of your GPU's driver, or install Mesa's software Vulkan (lavapipe)";
  }
}

function systemOf({ osRelease }: Pick<Machine, "osRelease">) {
  const ids = [...(osRelease ?? "").matchAll(/^ID(?:_LIKE)?="?([^"\n]*)/gm)]
    .flatMap(([, names = ""]) => names.split(" "));
  if (ids.some((id) => id === "debian" || id === "ubuntu")) return "debian";
  if (ids.some((id) => id === "fedora" || id === "rhel")) return "fedora";
  return ids.includes("arch") ? "arch" : "other";
}

/** Says which system this is; `null` where the file is missing (not Linux) or may not be read. */
export function readOsRelease(): string | null {
  try {
    return Deno.readTextFileSync(OS_RELEASE);
  } catch {
    // The remedy is worded for any system then.
    return null;
  }
}

async function install({ run }: Machine): Promise<void> {
  const update = await run(UPDATE);
  // A repository that is down matters only if the packages cannot be had from the others.
  const installation = await run(INSTALL);
  if (installation.success) return;
  const output = [update.success ? "" : update.output, installation.output].join("").trim();
  throw missing(`"${INSTALL.join(" ")}" failed:\n${output}`);
}

function missing(advice: string): GpuError {
  return new GpuError(
    `Cannot find a GPU: this machine has no WebGPU adapter, expected a Vulkan driver. ${advice}`,
  );
}

async function run(command: readonly string[]) {
  const [program = "", ...args] = command;
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  return { success, output: decoder.decode(stdout) + decoder.decode(stderr) };
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
