import { readEvents } from "./events.js";

/** @typedef {import("./events.js").BlocksEvent} BlocksEvent */
/** @typedef {import("../errors.ts").ErrorBody} ErrorBody */
/** @typedef {Record<string, unknown>} Fields */

/** Milliseconds before the server is tried again, once more for each time that it was not there. */
const PAUSES_MS = [0, 250, 500, 1000, 2000];

/** A refusal of the server, or its silence. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {{ status?: number, code?: string, param?: string | null, retryMs?: number }} [about]
   */
  constructor(message, { status = 0, code = "", param = null, retryMs = 0 } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.param = param;
    /** How long to wait before trying again; 0 where that is of no use. */
    this.retryMs = retryMs;
  }
}

/** The server, as a page of its own origin calls it. */
export class Api {
  /** The API key, kept here and nowhere else; empty where none is needed. */
  key = "";
  /** @type {URL} */
  #base;
  /** @type {typeof fetch} */
  #fetch;
  /** @type {(ms: number) => Promise<void>} */
  #pause;

  /**
   * @param {string} base Address of the page.
   * @param {{ fetch?: typeof fetch, pause?: (ms: number) => Promise<void> }} [world]
   */
  constructor(base, { fetch = (...request) => globalThis.fetch(...request), pause = wait } = {}) {
    this.#base = new URL(base);
    this.#fetch = fetch;
    this.#pause = pause;
  }

  /**
   * The whole address of a path.
   *
   * @param {string} path
   */
  addressOf(path) {
    return new URL(path, this.#base).href;
  }

  /**
   * Gets a JSON document.
   *
   * @param {string} path
   * @returns {Promise<unknown>}
   */
  async get(path) {
    return await (await this.#send(path, {})).json();
  }

  /**
   * Posts fields and gets a JSON answer.
   *
   * @param {string} path
   * @param {Fields} fields
   * @returns {Promise<unknown>}
   */
  async post(path, fields) {
    return await (await this.#send(path, posted(fields))).json();
  }

  /**
   * Ends a generation; its stream tells of the end.
   *
   * @param {string} id
   */
  async cancel(id) {
    await this.#send(`v1/blocks/${id}`, { method: "DELETE" });
  }

  /**
   * Generates, and gives every event once and in order: where the connection is lost it takes up
   * the stream again.
   *
   * @param {Fields} fields
   * @returns {AsyncGenerator<BlocksEvent, void>}
   */
  async *blocks(fields) {
    let response = await this.#send("v1/blocks", posted(fields));
    let lastId = "";
    let resumeMs = 0;
    while (true) {
      for await (const event of untilDropped(response)) {
        lastId = event.id ?? lastId;
        if (event.event === "start") resumeMs = event.data.resume_ms;
        yield event;
        if (event.event === "done" || event.event === "error") return;
      }
      if (lastId === "") throw new ApiError("The connection was lost before the first event");
      response = await this.#comeBack(lastId, resumeMs);
      if (response.status === 204) return;
    }
  }

  /**
   * Attaches to a generation again, as long as the server waits for that.
   *
   * @param {string} lastId
   * @param {number} resumeMs
   */
  async #comeBack(lastId, resumeMs) {
    const generation = lastId.slice(0, lastId.lastIndexOf("."));
    let waitedMs = 0;
    for (let attempt = 0;; attempt += 1) {
      const pauseMs = PAUSES_MS[Math.min(attempt, PAUSES_MS.length - 1)] ?? 0;
      await this.#pause(pauseMs);
      waitedMs += pauseMs;
      try {
        const headers = { "last-event-id": lastId };
        return await this.#send(`v1/blocks/${generation}`, { headers });
      } catch (error) {
        const isAway = error instanceof ApiError && (error.status === 0 || error.status >= 500);
        if (!isAway || waitedMs >= resumeMs) throw error;
      }
    }
  }

  /**
   * @param {string} path
   * @param {RequestInit} init
   */
  async #send(path, init) {
    const headers = new Headers(init.headers);
    if (this.key !== "") headers.set("authorization", `Bearer ${this.key}`);
    /** @type {RequestInit} */
    const request = { ...init, headers, cache: "no-store", credentials: "omit" };
    const response = await this.#fetch(this.addressOf(path), request).catch((cause) => {
      if (!(cause instanceof TypeError)) throw cause;
      throw new ApiError("The server cannot be reached");
    });
    if (response.ok) return response;
    throw await refusalOf(response);
  }
}

/**
 * The events of a response, as far as the connection carries them.
 *
 * @param {Response} response
 * @returns {AsyncGenerator<BlocksEvent, void>}
 */
async function* untilDropped({ body }) {
  if (body === null) return;
  try {
    yield* readEvents(body);
  } catch (error) {
    // What a broken connection is to a browser; whoever reads sees that no final event came.
    if (!(error instanceof TypeError)) throw error;
  }
}

/** @param {Response} response */
async function refusalOf(response) {
  const { status, headers } = response;
  const retryMs = 1000 * Number(headers.get("retry-after") ?? 0);
  try {
    /** @type {ErrorBody} */
    const { error } = await response.json();
    return new ApiError(error.message, { ...error, status, retryMs });
  } catch {
    // A proxy in between answers in its own way.
    return new ApiError(`The server answered with status ${status}`, { status, retryMs });
  }
}

/**
 * @param {Fields} fields
 * @returns {RequestInit}
 */
function posted(fields) {
  const headers = { "content-type": "application/json" };
  return { method: "POST", headers, body: JSON.stringify(fields) };
}

/**
 * @param {number} ms
 * @returns {Promise<void>}
 */
function wait(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
