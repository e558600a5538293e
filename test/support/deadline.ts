/** Longer than anything takes that a test waits for, however slow the machine. */
const GUARD_MS = 20_000;

/**
 * What `promise` brings, unless it hangs.
 *
 * @throws {Error} That says `what` hangs, or fails.
 */
export async function deadline<T>(promise: Promise<T>, what: string): Promise<T> {
  const hangs = Promise.withResolvers<never>();
  const timer = setTimeout(() => hangs.reject(new Error("it hangs")), GUARD_MS);
  try {
    return await Promise.race([promise, hangs.promise]);
  } catch (cause) {
    throw new Error(`Cannot wait for ${what}: ${(cause as Error).message}`, { cause });
  } finally {
    clearTimeout(timer);
  }
}
