import { ApiError } from "./api.js";
import { CallView } from "./call_view.js";
import { create, createToken, enable, find } from "./dom.js";
import { fieldsOf } from "./fields.js";
import { Options } from "./options.js";
import { requestTo } from "./session.js";
import { format } from "./stats.js";

/** @typedef {import("./api.js").Api} Api */
/** @typedef {import("./session.js").Session} Session */

/**
 * What `/v1/score` tells of one input, with details.
 *
 * @typedef {Object} Scored
 * @property {number} tokens
 * @property {number} nelbo
 * @property {number} nelbo_per_token
 * @property {number} stderr
 * @property {number} perplexity
 * @property {boolean} exact
 * @property {number[]} token_ids
 * @property {number[]} token_nelbo
 * @property {string[]} pieces
 */

/** Nats of a token that surprises as much as colours can say. */
const MOST_SURPRISING = 8;

/** Text, and how much the model is surprised by it. */
export class ScoreMode {
  /** @type {Api} */
  #api;
  #input;
  #context;
  #fold;
  #status;
  #alert;
  #text;
  #table;
  #panel;
  #call;
  #button;
  /** @type {Session | null} */
  #session = null;
  /** @type {Options | null} */
  #options = null;

  /**
   * @param {HTMLElement} root
   * @param {Api} api
   */
  constructor(root, api) {
    this.#api = api;
    this.#input = find(root, "#score-text", HTMLTextAreaElement);
    this.#context = find(root, "#score-context", HTMLTextAreaElement);
    this.#button = find(root, ".primary", HTMLButtonElement);
    this.#fold = find(root, ".options", HTMLDetailsElement);
    this.#status = find(root, ".status", HTMLElement);
    this.#alert = find(root, ".alert", HTMLElement);
    this.#text = find(root, ".text", HTMLElement);
    this.#table = find(root, ".tokens", HTMLDetailsElement);
    this.#panel = find(root, ".panel", HTMLElement);
    this.#call = new CallView(find(root, ".call", HTMLElement), "score");
    const scale = create("span", { class: "scale", "aria-hidden": "true" });
    scale.dataset.colour = "surprise";
    const key = create("span", { class: "key" }, "expected", scale, "surprising");
    find(root, ".legend", HTMLElement).append(key);
    for (const each of [this.#input, this.#context]) {
      each.addEventListener("input", () => this.#showCall());
    }
    find(root, "form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#start();
    });
  }

  /**
   * Shows what the server and the model take.
   *
   * @param {Session} session
   */
  open(session) {
    this.#session = session;
    const { details: _, ...properties } = session.fieldsOf("ScoreRequest");
    const fields = fieldsOf(properties, session.model);
    this.#options?.element.remove();
    this.#options = new Options(fields, { id: "score", onChange: () => this.#showCall() });
    this.#fold.append(this.#options.element);
    // With few draws many tokens are never masked, and say nothing.
    this.#options.set("samples", "16");
  }

  /** @returns {Record<string, unknown>} */
  #request() {
    const own = this.#session === null ? {} : requestTo(this.#session);
    const context = this.#context.value;
    return {
      ...own,
      input: this.#input.value,
      ...(context !== "" && { context }),
      ...this.#options?.values(),
      details: true,
    };
  }

  #showCall(fields = this.#request()) {
    const address = this.#api.addressOf("v1/score");
    this.#call.show({ address, fields, needsKey: this.#api.key !== "" });
  }

  async #start() {
    enable(this.#button, false);
    this.#alert.textContent = "";
    this.#status.textContent = "Scoring";
    this.#options?.mark(null);
    try {
      const fields = this.#request();
      const answer = await this.#api.post("v1/score", fields);
      const { seed, data: [scored] } = /** @type {{ seed: number, data: Scored[] }} */ (answer);
      if (scored !== undefined) this.#show(scored);
      // With the seed the call gives these very numbers.
      this.#showCall({ ...fields, seed });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#status.textContent = "";
      this.#alert.textContent = error.message;
      this.#options?.mark(error.param);
    } finally {
      enable(this.#button, true);
    }
  }

  /** @param {Scored} scored */
  #show(scored) {
    const { pieces, token_ids: ids, token_nelbo: nelbo, stderr, exact } = scored;
    const margin = exact ? "exact" : `± ${format(stderr)}`;
    this.#status.textContent = `Perplexity ${format(scored.perplexity)}`;
    const figures = {
      "Perplexity": format(scored.perplexity),
      "Nats per token": format(scored.nelbo_per_token),
      "Nats": `${format(scored.nelbo)} (${margin})`,
      "Tokens": String(scored.tokens),
    };
    const rows = Object.entries(figures).map(([name, value]) =>
      create("div", {}, create("dt", {}, name), create("dd", {}, value))
    );
    this.#panel.replaceChildren(create("dl", {}, ...rows));
    this.#text.replaceChildren(...pieces.map((piece, i) => tokenOf(piece, nelbo[i] ?? 0)));
    const cells = pieces.map((piece, i) => {
      const values = [JSON.stringify(piece), String(ids[i]), format(nelbo[i] ?? 0)];
      return create("tr", {}, ...values.map((value) => create("td", {}, value)));
    });
    const titles = ["Token", "Id", "Nats"].map((name) => create("th", { scope: "col" }, name));
    const table = create("table", {}, create("tr", {}, ...titles), ...cells);
    this.#table.replaceChildren(create("summary", {}, "Every token"), table);
    this.#table.hidden = false;
  }
}

/**
 * @param {string} piece
 * @param {number} nelbo
 */
function tokenOf(piece, nelbo) {
  const token = createToken(piece, `${JSON.stringify(piece)}, ${format(nelbo)} nats`);
  token.classList.add("seen");
  const surprise = Math.min(1, Math.max(0, nelbo / MOST_SURPRISING));
  token.style.setProperty("--surprise", surprise.toFixed(3));
  return token;
}
