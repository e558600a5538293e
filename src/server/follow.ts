import type { RequestError } from "./errors.ts";
import { type BlocksEvent, blocksEvents } from "./events.ts";
import { limitTime, type Run } from "./run.ts";

/** Where the events of runs go. */
export interface Follower {
  /** The next event of the run number `choice`. */
  onEvent(event: BlocksEvent, choice: number): void;
  /** Nothing follows of any run; `failure` is what one of them failed with. */
  onEnd(failure?: { readonly error: unknown }): void;
}

/**
 * Reads the runs of one request side by side to their ends, whether somebody waits for that or not.
 * Where one fails the others are cancelled.
 */
export function follow(
  runs: readonly Run[],
  follower: Follower,
  { requestTimeoutMs }: { readonly requestTimeoutMs: number },
): void {
  const giveUp = (error: RequestError) => follower.onEnd({ error });
  const stopClock = limitTime(runs, { requestTimeoutMs, giveUp });
  const read = async (run: Run, choice: number) => {
    for await (const event of blocksEvents(run)) follower.onEvent(event, choice);
  };
  Promise.all(runs.map(read)).then(() => follower.onEnd(), (error) => {
    for (const run of runs) run.cancel();
    follower.onEnd({ error });
  }).finally(stopClock);
}
