/** How {@linkcode runChild} runs a process. */
export interface ChildOptions {
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** `leash` is a pipe that stays open as long as this process lives. */
  readonly stdin: "inherit" | "leash";
  /** Gets what the child prints; stdout does where left out. */
  readonly onStdout?: (chunk: Uint8Array) => void;
}

const STARTER_CHECK_MS = 500;

/**
 * Runs Deno as a child and gives its exit status, 128 + n if signal n ended it.
 *
 * SIGINT and SIGTERM are passed on. The child leads a session of its own, because Ctrl-C in a
 * terminal reaches the whole foreground process group: the child would get it from the terminal, from
 * here, and from here again as `deno task` passes it on.
 */
export async function runChild(options: ChildOptions): Promise<number> {
  const { args, environment, stdin, onStdout } = options;
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    env: environment,
    detached: true,
    stdin: stdin === "leash" ? "piped" : "inherit",
    stdout: onStdout ? "piped" : "inherit",
    stderr: "inherit",
  }).spawn();
  using _signals = forwardSignals((signal) => kill(child, signal));
  using _watch = watchStarters(() => kill(child, "SIGTERM"));
  if (onStdout) { for await (const chunk of child.stdout) onStdout(chunk); }
  const { code } = await child.status;
  return code;
}

/** Calls `forward` for each SIGINT and SIGTERM until disposed. */
function forwardSignals(forward: (signal: Deno.Signal) => void): Disposable {
  const listeners = (["SIGINT", "SIGTERM"] as const).map((signal) => {
    const isNew = echoFilter(Deno.stdin.isTerminal() ? 200 : 20);
    const listener = () => {
      if (isNew(performance.now())) forward(signal);
    };
    Deno.addSignalListener(signal, listener);
    return [signal, listener] as const;
  });
  return {
    [Symbol.dispose]() {
      for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
    },
  };
}

/**
 * Tells signals from their echoes: gives false within `echoMs` of the one before.
 *
 * One Ctrl-C arrives twice, from the terminal and from `deno task`, within a millisecond. Nobody
 * presses it twice in 200 ms, but a program may well send its second signal that soon.
 */
export function echoFilter(echoMs: number): (nowMs: number) => boolean {
  let last = -Infinity;
  return (now) => {
    const isNew = now - last > echoMs;
    last = now;
    return isNew;
  };
}

/**
 * Calls `onGone` once when a process between this one and the command that the user typed has ended:
 * `deno task`, and with `npx` the shell and npm above it, which take no signal along when they die.
 */
function watchStarters(onGone: () => void): Disposable {
  // Without `deno task` the parent is whatever shell or service started this, free to leave.
  const starters = Deno.env.has("INIT_CWD") ? findStarters() : [];
  const timer = setInterval(() => {
    if (starters.every(({ pid, parent }) => parentOf(pid) === parent)) return;
    clearInterval(timer);
    onGone();
  }, STARTER_CHECK_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function findStarters(): { pid: number; parent: number | null }[] {
  const chain = [{ pid: Deno.pid, parent: parentOf(Deno.pid) }];
  // launcher < deno task < sh < npm; some shells replace themselves by their command.
  for (let { parent } = chain[0]!; parent !== null && chain.length < 4;) {
    if (nameOf(parent).startsWith("npm")) return chain;
    const pid = parent;
    parent = parentOf(pid);
    chain.push({ pid, parent });
  }
  return chain.slice(0, 1);
}

function parentOf(pid: number): number | null {
  if (pid === Deno.pid) return Deno.ppid;
  // The name in parentheses may have spaces and parentheses of its own; state and parent follow.
  const [, parent] = /\) \S (\d+) [^)]*$/.exec(readProcess(pid, "stat")) ?? [];
  return parent === undefined ? null : Number(parent);
}

function nameOf(pid: number): string {
  return readProcess(pid, "comm");
}

function readProcess(pid: number, file: "stat" | "comm"): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/${file}`);
  } catch {
    // The process is gone, or the system has no /proc: there is nothing to tell apart.
    return "";
  }
}

function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (error) {
    // It has ended by itself meanwhile; Deno says so with either class.
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
  }
}
