/** Takes one line, without its line end. */
export type LogWriter = (line: string) => void;

/** Values that a log line may hold: never text of prompts or answers, keys, or paths. */
export type LogFields = Readonly<Record<string, string | number | boolean | null>>;

/** Records that `event` happened. */
export type Log = (event: string, fields: LogFields) => void;

/**
 * A log of one JSON line per event.
 *
 * @param nowMs Milliseconds since the epoch.
 */
export function createLog(write: LogWriter, nowMs: () => number): Log {
  return (event, fields) => {
    write(JSON.stringify({ time: new Date(nowMs()).toISOString(), event, ...fields }));
  };
}
