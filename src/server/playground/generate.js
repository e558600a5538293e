import { ApiError } from "./api.js";
import { CallView } from "./call_view.js";
import { enable, find } from "./dom.js";
import { fieldsOf } from "./fields.js";
import { makeLegend } from "./legend.js";
import { Options } from "./options.js";
import { Panel } from "./panel.js";
import { Run, summarize } from "./run.js";
import { requestTo } from "./session.js";
import { TextView } from "./text_view.js";

/** @typedef {import("./api.js").Api} Api */
/** @typedef {import("./session.js").Session} Session */

/** A prompt, its options, and the text that comes of them. */
export class GenerateMode {
  /** @type {Api} */
  #api;
  #prompt;
  #submitButton;
  #stopButton;
  #fold;
  #status;
  #alert;
  #text;
  #panel;
  #call;
  /** @type {Session | null} */
  #session = null;
  /** @type {Options | null} */
  #options = null;
  /** @type {Run | null} */
  #run = null;

  /**
   * @param {HTMLElement} root
   * @param {Api} api
   */
  constructor(root, api) {
    this.#api = api;
    this.#prompt = find(root, "textarea", HTMLTextAreaElement);
    this.#submitButton = find(root, ".primary", HTMLButtonElement);
    this.#stopButton = find(root, ".stop", HTMLButtonElement);
    this.#fold = find(root, ".options", HTMLDetailsElement);
    this.#status = find(root, ".status", HTMLElement);
    this.#alert = find(root, ".alert", HTMLElement);
    const text = find(root, ".text", HTMLElement);
    this.#text = new TextView(text);
    this.#panel = new Panel(
      find(root, ".panel", HTMLElement),
      (seed) => this.#options?.set("seed", String(seed)),
    );
    this.#call = new CallView(find(root, ".call", HTMLElement), "generate");
    const onKeep = (/** @type {boolean} */ keeps) => this.#text.keepColours(keeps);
    const legend = find(root, ".legend", HTMLElement);
    makeLegend(legend, { id: "generate", texts: [text], onKeep });
    const form = find(root, "form", HTMLFormElement);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#start();
    });
    this.#prompt.addEventListener("input", () => this.#showCall());
    this.#stopButton.addEventListener("click", () => this.stop());
  }

  get prompt() {
    return this.#prompt.value;
  }

  set prompt(text) {
    this.#prompt.value = text;
    this.#showCall();
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
    this.#options?.element.remove();
    this.#options = new Options(fields, { id: "generate", onChange: () => this.#showCall() });
    this.#fold.append(this.#options.element);
    // To be seen is what this page is for.
    this.#options.set("trace", "true");
  }

  /** Ends the generation under way. */
  async stop() {
    await this.#run?.stop();
  }

  /** @returns {Record<string, unknown>} */
  #request() {
    const prompt = this.#prompt.value;
    const own = this.#session === null ? {} : requestTo(this.#session);
    return { ...own, ...(prompt !== "" && { prompt }), ...this.#options?.values() };
  }

  #showCall(fields = this.#request()) {
    const address = this.#api.addressOf("v1/blocks");
    this.#call.show({ address, fields, needsKey: this.#api.key !== "" });
  }

  async #start() {
    if (this.#run !== null) return;
    const fields = this.#request();
    this.#run = new Run(this.#api);
    enable(this.#submitButton, false);
    enable(this.#stopButton, true);
    this.#alert.textContent = "";
    this.#status.textContent = "Generating";
    this.#options?.mark(null);
    try {
      const done = await this.#run.follow(fields, {
        text: this.#text,
        panel: this.#panel,
        onStart: ({ seed, queue_position: position }) => {
          if (position > 0) this.#status.textContent = `Waiting, ${position} before this one`;
          // With the seed the call gives this very text.
          this.#showCall({ ...fields, seed });
        },
      });
      this.#status.textContent = summarize(done);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#run = null;
      enable(this.#submitButton, true);
      enable(this.#stopButton, false);
    }
  }

  /** @param {unknown} error */
  #fail(error) {
    if (!(error instanceof ApiError)) throw error;
    this.#status.textContent = "";
    this.#alert.textContent = error.message;
    this.#options?.mark(error.param);
  }
}
