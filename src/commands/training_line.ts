import type { Progress } from "../training/session.ts";
import type { Windows } from "../training/windows.ts";
import { ESCAPE, type TerminalOutput } from "./terminal.ts";

/** How much of what was is in an average of times: steps differ, and the line should not jump. */
const SMOOTHING = 0.9;

/**
 * Shows how far a training is: one line that is written over on a terminal; elsewhere a line for
 * every look at the held-out text, and for every checkpoint.
 */
export class TrainingLine implements Disposable {
  readonly #output: TerminalOutput;
  #nelbo: number | null = null;
  #loss: number | null = null;
  #secondsLeft: number | null = null;
  #isOpen = false;

  constructor(output: TerminalOutput) {
    this.#output = output;
  }

  /** Says what begins. */
  announce(
    { parameters, windows, heldOut, start }: {
      readonly parameters: number;
      readonly windows: Windows;
      readonly heldOut: readonly Uint32Array[];
      readonly start: number;
    },
  ): void {
    const resumed = start > 0 ? `, going on after update ${start}` : "";
    this.#print(
      `${count(parameters)} parameters, ${count(windows.perEpoch)} windows an epoch, ` +
        `${heldOut.length} held out${resumed}`,
    );
  }

  /** Shows an update. */
  update(progress: Progress): void {
    this.#nelbo = progress.nelbo ?? this.#nelbo;
    this.#loss = smooth(this.#loss, progress.loss);
    this.#secondsLeft = smooth(this.#secondsLeft, progress.secondsLeft);
    const line = this.#describe(progress);
    if (!this.#output.isTerminal) {
      if (progress.nelbo !== null) this.#print(line);
      return;
    }
    // Never into the last cell, from where some terminals go on to the next line.
    this.#output.write(`\r${line.slice(0, this.#output.size().columns - 1)}${ESCAPE}K`);
    this.#isOpen = true;
  }

  /** Says where a checkpoint is. */
  saved(path: string): void {
    this.#print(`saved ${path}`);
  }

  [Symbol.dispose](): void {
    if (this.#isOpen) this.#output.write("\n");
    this.#isOpen = false;
  }

  #describe({ update, updates, tokensPerSecond, skipped }: Progress): string {
    const parts = [
      `${update}/${updates}`,
      `loss ${(this.#loss ?? NaN).toFixed(3)}`,
      ...(this.#nelbo === null ? [] : [`NELBO ${this.#nelbo.toFixed(3)}`]),
      `${count(Math.round(tokensPerSecond))} tokens/s`,
      `${duration(this.#secondsLeft ?? 0)} left`,
      ...(skipped > 0 ? [`${skipped} skipped`] : []),
    ];
    return parts.join("  ");
  }

  #print(line: string): void {
    this.#output.write((this.#isOpen ? `\r${ESCAPE}K` : "") + line + "\n");
    this.#isOpen = false;
  }
}

function smooth(before: number | null, now: number): number {
  return before === null ? now : SMOOTHING * before + (1 - SMOOTHING) * now;
}

function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

function duration(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  if (minutes < 1) return `${Math.round(seconds)} s`;
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
