import { ApiError } from "./api.js";
import { RunStats } from "./stats.js";

/** @typedef {import("./api.js").Api} Api */
/** @typedef {import("./events.js").BlocksEvent} BlocksEvent */
/** @typedef {Extract<BlocksEvent, { event: "start" }>["data"]} StartData */
/** @typedef {Extract<BlocksEvent, { event: "done" }>["data"]} DoneData */

/**
 * Where a run is seen.
 *
 * @typedef {Object} RunViews
 * @property {import("./text_view.js").TextView} text
 * @property {import("./panel.js").Panel} panel
 * @property {(start: StartData) => void} [onStart]
 */

/**
 * What ended a generation, in words.
 *
 * @type {Readonly<Record<string, string>>}
 */
const ENDS = {
  eos: "the model ended the text",
  stop: "a stop string came",
  entropy: "the text repeats itself",
  length: "the length is reached",
  cancelled: "stopped",
};

/** One generation, from the request to its end. */
export class Run {
  /** @type {Api} */
  #api;
  #stats = new RunStats();
  #id = "";
  #isStopped = false;

  /** @param {Api} api */
  constructor(api) {
    this.#api = api;
  }

  /**
   * Generates and shows what comes.
   *
   * @param {Record<string, unknown>} fields
   * @param {RunViews} views
   * @returns {Promise<DoneData>} What the server says of it in the end.
   */
  async follow(fields, views) {
    views.panel.show(this.#stats);
    try {
      for await (const event of this.#api.blocks(fields)) {
        this.#stats.add(event, performance.now());
        this.#show(event, { prompt: String(fields.prompt ?? ""), ...views });
        views.panel.show(this.#stats);
        if (event.event === "done") return event.data;
        if (event.event === "error") throw new ApiError(event.data.error.message);
      }
    } finally {
      views.text.end();
    }
    throw new ApiError("The stream ended before the generation did");
  }

  /** Ends it, as soon as the server has given it a name. */
  async stop() {
    this.#isStopped = true;
    if (this.#id === "") return;
    await this.#api.cancel(this.#id).catch((error) => {
      // It may be over by now; and of a server that is gone the stream tells.
      if (!(error instanceof ApiError)) throw error;
    });
  }

  /**
   * @param {BlocksEvent} event
   * @param {RunViews & { prompt: string }} views
   */
  #show({ event, data }, { text, prompt, onStart }) {
    switch (event) {
      case "start":
        this.#id = data.id;
        text.begin(prompt, data);
        onStart?.(data);
        if (this.#isStopped) this.stop();
        return;
      case "step":
        return text.step(data);
      case "block":
        return text.block(data);
    }
  }
}

/**
 * A finished run in a sentence.
 *
 * @param {DoneData} done
 */
export function summarize({ usage, blocks, stop_reason: reason, timings }) {
  const seconds = (timings.total_ms / 1000).toFixed(2);
  return `${usage.completion_tokens} tokens in ${blocks} blocks and ${seconds} s: ${ENDS[reason]}`;
}
