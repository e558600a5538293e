/** Rejects with a `TimeoutError` when the promise takes longer than `ms`. */
export function deadline<T>(
  promise: Promise<T>,
  ms: number,
  options?: { signal?: AbortSignal },
): Promise<T>;
