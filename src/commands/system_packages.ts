/** Where Linux says which distribution it is. */
export const OS_RELEASE = "/etc/os-release";

const UPDATE = ["apt-get", "update"];
// Another apt may be at work on a machine that was just set up.
const INSTALL = [
  ...["apt-get", "-o", "DPkg::Lock::Timeout=120", "install", "-y", "--no-install-recommends"],
];

/** What installing packages needs of the machine. */
export interface System {
  /** Runs a command to its end. */
  readonly run: (command: readonly string[]) => Promise<{ success: boolean; output: string }>;
  readonly isRoot: boolean;
  /** Text of `/etc/os-release`; `null` where there is none. */
  readonly osRelease: string | null;
  readonly mayInstall: boolean;
  /** Tells the user what is going on. */
  readonly say: (line: string) => void;
}

/** What package managers call the same thing. */
export interface Packages {
  readonly debian: readonly string[];
  readonly fedora: readonly string[];
  readonly arch: readonly string[];
  /** What to do on any other system, in words. */
  readonly other: string;
}

/** The system this process runs on. */
export function thisSystem(environment: Readonly<Record<string, string>>): System {
  return {
    run,
    isRoot: Deno.build.os === "linux" && Deno.uid() === 0,
    osRelease: readOsRelease(),
    mayInstall: ["", "0"].includes(environment.BD_NO_INSTALL ?? ""),
    say: (line) => console.error(line),
  };
}

/** Whether packages can be installed here without asking: on Debian and its descendants, as root. */
export function canInstall(system: System): boolean {
  return system.mayInstall && system.isRoot && familyOf(system) === "debian";
}

/**
 * Installs packages where {@linkcode canInstall} says so.
 *
 * @returns What went wrong, or `null`.
 */
export async function installPackages(
  { run }: System,
  { debian }: Packages,
): Promise<string | null> {
  const update = await run(UPDATE);
  // A repository that is down matters only if the packages cannot be had from the others.
  const command = [...INSTALL, ...debian];
  const installation = await run(command);
  if (installation.success) return null;
  const output = [update.success ? "" : update.output, installation.output].join("").trim();
  return `"${command.join(" ")}" failed:\n${output}`;
}

/** The command that installs packages. */
export function installCommand(
  { debian, fedora, arch, other }: Packages,
  { osRelease, isRoot }: Pick<System, "osRelease" | "isRoot">,
): string {
  const sudo = isRoot ? "" : "sudo ";
  switch (familyOf({ osRelease })) {
    case "debian":
      return `${sudo}apt-get update && ${sudo}apt-get install -y --no-install-recommends ` +
        debian.join(" ");
    case "fedora":
      return `${sudo}dnf install -y ${fedora.join(" ")}`;
    case "arch":
      return `${sudo}pacman -S ${arch.join(" ")}`;
    case "other":
      return other;
  }
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

function familyOf({ osRelease }: Pick<System, "osRelease">) {
  const ids = [...(osRelease ?? "").matchAll(/^ID(?:_LIKE)?="?([^"\n]*)/gm)]
    .flatMap(([, names = ""]) => names.split(" "));
  if (ids.some((id) => id === "debian" || id === "ubuntu")) return "debian";
  if (ids.some((id) => id === "fedora" || id === "rhel")) return "fedora";
  return ids.includes("arch") ? "arch" : "other";
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
