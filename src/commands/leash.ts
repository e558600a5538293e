/** Environment variable by which the launcher says that it holds the other end of stdin. */
export const LEASH_VARIABLE = "BD_STDIN_LEASH";

/**
 * Ends this process with its launcher, which may be killed before it can pass a signal on. Has no
 * effect in a process that no launcher started.
 */
export async function followLauncher(): Promise<void> {
  // Asked first, because reading without permission would prompt.
  const { state } = Deno.permissions.querySync({ name: "env", variable: LEASH_VARIABLE });
  if (state !== "granted" || !Deno.env.has(LEASH_VARIABLE)) return;
  for await (const _ of Deno.stdin.readable);
  Deno.exit(143);
}
