import { join } from "@std/path";

/**
 * Keeps other processes from training into `directory`, until disposed of or the process ends.
 *
 * @returns `null` where another one does already.
 */
export function lockTraining(directory: string): Disposable | null {
  const file = Deno.openSync(join(directory, ".lock"), { write: true, create: true });
  if (file.tryLockSync(true)) return file;
  file.close();
  return null;
}
