import type { BlockData, BlocksEvent, DoneData, StartData } from "./events.ts";
import { follow } from "./follow.ts";
import type { Run } from "./run.ts";

/** A run that has ended. */
export interface Collected {
  readonly start: StartData;
  readonly blocks: readonly BlockData[];
  readonly done: DoneData;
}

/**
 * Waits for the ends of all runs of a request. A client that leaves, which `signal` tells, ends
 * them.
 *
 * @returns What became of each, or `null` if the client left.
 * @throws What one of them failed with.
 */
export async function collect(
  runs: readonly Run[],
  { signal, requestTimeoutMs }: {
    readonly signal: AbortSignal;
    readonly requestTimeoutMs: number;
  },
): Promise<Collected[] | null> {
  const events: BlocksEvent[][] = runs.map(() => []);
  const ended = Promise.withResolvers<void>();
  follow(runs, {
    onEvent: (event, choice) => void events[choice]!.push(event), // One list for each run.
    onEnd: (failure) => failure ? ended.reject(failure.error) : ended.resolve(),
  }, { requestTimeoutMs });
  const cancel = () => runs.forEach((run) => run.cancel());
  // The signal also fires after a response was sent; cancelling what has ended does nothing.
  signal.addEventListener("abort", cancel, { once: true });
  if (signal.aborted) cancel();
  await ended.promise;
  return signal.aborted ? null : events.map(toCollected);
}

function toCollected(events: readonly BlocksEvent[]): Collected {
  let start: StartData | undefined;
  let done: DoneData | undefined;
  const blocks: BlockData[] = [];
  for (const each of events) {
    if (each.event === "start") start = each.data;
    if (each.event === "block") blocks.push(each.data);
    if (each.event === "done") done = each.data;
  }
  // A run that ended without a failure had a first event, and a last one.
  return { start: start!, blocks, done: done! };
}
