/** Rejects with the reason of `signal` when it is aborted before `promise` is settled. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T>;
