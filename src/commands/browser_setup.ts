import {
  canInstall,
  installCommand,
  installPackages,
  type Packages,
  type System,
  thisSystem,
} from "./system_packages.ts";

const CHROMIUM: Packages = {
  debian: ["chromium"],
  fedora: ["chromium"],
  arch: ["chromium"],
  other: "the installer of Chromium or Chrome, or name one you have with BD_CHROMIUM",
};

/** Where Chromium and its descendants are found; Debian's first. */
const PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/google-chrome",
  "/usr/bin/chromium-browser",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
];

/** What setting up a browser needs of the machine. */
export interface BrowserMachine extends System {
  /** Path of a browser; `null` where there is none. */
  readonly find: () => string | null;
}

/**
 * Finds the browser that the page is tested in, and installs Chromium where there is none: on
 * Debian and its descendants, as root. Where that cannot be it says what to run: the tests that
 * need no browser go on.
 */
export async function ensureBrowser(machine: BrowserMachine): Promise<void> {
  if (machine.find() !== null) return;
  if (!canInstall(machine)) return machine.say(missingBrowser(machine));
  machine.say(`No browser found: installing ${CHROMIUM.debian} with apt-get`);
  const problem = await installPackages(machine, CHROMIUM);
  if (problem !== null) machine.say(`Cannot find a browser: ${problem}`);
}

/** The machine this process runs on. */
export function thisBrowserMachine(environment: Readonly<Record<string, string>>): BrowserMachine {
  return { ...thisSystem(environment), find: () => findBrowser(environment) };
}

/** Path of the browser to test in: what `BD_CHROMIUM` says, or where it usually is. */
export function findBrowser(environment: Readonly<Record<string, string>>): string | null {
  return environment.BD_CHROMIUM || (PLACES.find(isFile) ?? null);
}

/** What to tell where there is no browser. */
export function missingBrowser(system: Pick<System, "osRelease" | "isRoot">): string {
  return `Cannot find a browser, which tests of the page need. Run: ${
    installCommand(CHROMIUM, system)
  }`;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    // Not there, or not to be seen: either way it cannot be started.
    return false;
  }
}
