import type { Surroundings } from "./model_command.ts";

/** Exit status after Ctrl-C, which tells it from other signals. */
const STATUS_OF_CTRL_C = 130;

/** Lends Ctrl-C to what is under way; without a borrower, and with other signals, it ends all. */
export class Interrupts {
  readonly #listen: Surroundings["onInterrupt"];
  readonly #borrowers: (() => void)[] = [];

  constructor(listen: Surroundings["onInterrupt"]) {
    this.#listen = listen;
  }

  /** As {@linkcode Surroundings.onInterrupt}, for signals that nobody has borrowed. */
  readonly onInterrupt: Surroundings["onInterrupt"] = (end) => {
    return this.#listen((status) => {
      const borrower = status === STATUS_OF_CTRL_C ? this.#borrowers.at(-1) : undefined;
      if (borrower === undefined) return end(status);
      borrower();
      return "again";
    });
  };

  /** Has `stop` called at each Ctrl-C until what this gives is disposed. */
  take(stop: () => void): Disposable {
    this.#borrowers.push(stop);
    return {
      [Symbol.dispose]: () => void this.#borrowers.splice(this.#borrowers.indexOf(stop), 1),
    };
  }
}
