import { ApiError } from "./api.js";
import { create, enable, find } from "./dom.js";
import { fieldsOf } from "./fields.js";
import { makeLegend } from "./legend.js";
import { Options } from "./options.js";
import { Panel } from "./panel.js";
import { Run } from "./run.js";
import { drawSeed, requestTo } from "./session.js";
import { TextView } from "./text_view.js";

/** @typedef {import("./api.js").Api} Api */
/** @typedef {import("./fields.js").Field} Field */
/** @typedef {import("./session.js").Session} Session */

/** One of the two that are compared. */
class Side {
  /** @type {Run | null} */
  run = null;
  element;
  text;
  #form;
  #alert;
  #panel;
  /** @type {Options | null} */
  #options = null;

  /**
   * @param {HTMLElement} root
   * @param {{ onSeed: (seed: number) => void, onSubmit: () => void }} options
   */
  constructor(root, { onSeed, onSubmit }) {
    this.#form = find(root, "form", HTMLFormElement);
    this.#alert = find(root, ".alert", HTMLElement);
    this.element = find(root, ".text", HTMLElement);
    this.text = new TextView(this.element);
    this.#panel = new Panel(find(root, ".panel", HTMLElement), onSeed);
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      onSubmit();
    });
  }

  /** Whether what was typed in may be sent; says so where it may not. */
  get isValid() {
    return this.#form.reportValidity();
  }

  /**
   * @param {readonly Field[]} fields
   * @param {string} id
   */
  open(fields, id) {
    this.#options = new Options(fields, { id, onChange: () => {}, explains: false });
    this.#form.replaceChildren(this.#options.element);
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  set(name, value) {
    this.#options?.set(name, value);
  }

  /**
   * Runs to the end, whatever it is.
   *
   * @param {Api} api
   * @param {Record<string, unknown>} fields What both sides have in common.
   */
  async follow(api, fields) {
    this.#alert.textContent = "";
    this.#options?.mark(null);
    this.run = new Run(api);
    try {
      const request = { ...fields, ...this.#options?.values() };
      await this.run.follow(request, { text: this.text, panel: this.#panel });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#alert.textContent = error.message;
      this.#options?.mark(error.param);
    } finally {
      this.run = null;
    }
  }
}

/** Two strategies or block sizes on the same seed. */
export class CompareMode {
  /** @type {Api} */
  #api;
  #prompt;
  #submitButton;
  #stopButton;
  #fold;
  #status;
  #sides;
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
    this.#prompt = find(root, "textarea", HTMLTextAreaElement);
    this.#submitButton = find(root, ".primary", HTMLButtonElement);
    this.#stopButton = find(root, ".stop", HTMLButtonElement);
    this.#fold = find(root, "details.options", HTMLDetailsElement);
    this.#status = find(root, ".status", HTMLElement);
    const form = find(root, "form", HTMLFormElement);
    this.#sides = /** @type {HTMLElement[]} */ ([...root.querySelectorAll(".side")]).map((side) =>
      new Side(side, {
        onSeed: (seed) => this.#options?.set("seed", String(seed)),
        onSubmit: () => form.requestSubmit(),
      })
    );
    makeLegend(find(root, ".legend", HTMLElement), {
      id: "compare",
      texts: this.#sides.map(({ element }) => element),
      onKeep: (keeps) => this.#sides.forEach(({ text }) => text.keepColours(keeps)),
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#start();
    });
    this.#stopButton.addEventListener("click", () => this.stop());
  }

  get prompt() {
    return this.#prompt.value;
  }

  set prompt(text) {
    this.#prompt.value = text;
  }

  /**
   * Shows what the server and the model take.
   *
   * @param {Session} session
   */
  open(session) {
    this.#session = session;
    const { stream: _, ...properties } = session.fieldsOf("BlocksRequest");
    const fields = fieldsOf(properties, session.model);
    const isOfSide = (/** @type {Field} */ { name, strategies }) =>
      name === "strategy" || name === "block_size" || strategies !== null;
    this.#options = new Options(fields.filter((each) => !isOfSide(each)), {
      id: "compare",
      onChange: () => {},
    });
    this.#options.set("trace", "true");
    this.#fold.replaceChildren(create("summary", {}, "Options of both"), this.#options.element);
    this.#sides.forEach((side, i) => side.open(fields.filter(isOfSide), `compare-${i}`));
    // Two that differ, to begin with.
    const { strategies, default_strategy: first } = session.model;
    const other = strategies.find((each) => each === "low_confidence_dynamic" && each !== first);
    this.#sides[1]?.set("strategy", other ?? first);
  }

  /** Ends the generations under way. */
  async stop() {
    await Promise.all(this.#sides.map(({ run }) => run?.stop()));
  }

  async #start() {
    if (this.#session === null || this.#sides.some(({ run }) => run !== null)) return;
    if (!this.#sides.every(({ isValid }) => isValid)) return;
    const values = this.#options?.values() ?? {};
    const seed = values.seed ?? drawSeed();
    const prompt = this.#prompt.value;
    const fields = { ...requestTo(this.#session), prompt, ...values, seed };
    enable(this.#submitButton, false);
    enable(this.#stopButton, true);
    this.#status.textContent = "Generating";
    await Promise.all(this.#sides.map((side) => side.follow(this.#api, fields)));
    this.#status.textContent = `Both are done, with the seed ${seed}`;
    enable(this.#submitButton, true);
    enable(this.#stopButton, false);
  }
}
