/** Resolves after `ms` milliseconds; rejects with the signal's reason when aborted. */
export function delay(
  ms: number,
  options?: { signal?: AbortSignal; persistent?: boolean },
): Promise<void>;
