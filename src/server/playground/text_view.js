import { create, createToken, keepAtEnd } from "./dom.js";

/** @typedef {Extract<import("./events.js").BlocksEvent, { event: "start" }>["data"]} StartData */
/** @typedef {Extract<import("./events.js").BlocksEvent, { event: "step" }>["data"]} StepData */
/** @typedef {import("../events.ts").BlockData} BlockData */

/**
 * A token that has fallen into its place.
 *
 * @typedef {Object} Fallen
 * @property {string} piece
 * @property {number} step The step in which it fell; 0 where the page did not see it.
 * @property {number | null} confidence
 * @property {string[]} facts What else is told of it.
 */

/** Steps of a block of the strategy that has a grid of its own, where a request does not say. */
const GRID_STEPS = 128;

/** The text of a generation: what is finished, and the block that is denoised. */
export class TextView {
  /** @type {HTMLElement} */
  #element;
  #finished = create("span");
  /** Changes too often to be read aloud; the finished text is. */
  #current = create("span", { class: "current", "aria-hidden": "true" });
  /** @type {(Fallen | null)[]} */
  #places = [];
  /** @type {{ text: string, tokens: readonly Fallen[] }[]} */
  #blocks = [];
  #blockSize = 0;
  #steps = 1;
  #left = 0;
  #keepsColours = false;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
  }

  /** The text of all finished blocks. */
  get text() {
    return this.#blocks.map(({ text }) => text).join("");
  }

  /**
   * Shows a prompt and the masks of the first block.
   *
   * @param {string} prompt
   * @param {StartData} start
   */
  begin(prompt, { params, prompt_tokens: promptTokens, max_tokens: maxTokens }) {
    this.#blockSize = params.block_size;
    const part = params.sub_block_size ?? params.block_size;
    const steps = params.steps ?? (params.strategy === "ancestral" ? GRID_STEPS : part);
    this.#steps = steps * (params.block_size / part);
    this.#left = maxTokens;
    this.#blocks = [];
    this.#finished.replaceChildren();
    const before = create("span", { class: "prompt" }, prompt);
    this.#element.replaceChildren(before, this.#finished, this.#current);
    // Blocks lie on a grid, and the prompt fills a part of the first; its first step says exactly.
    this.#mask(this.#blockSize - promptTokens % this.#blockSize);
  }

  /** @param {StepData} data */
  step(data) {
    const { pieces, revealed, confidence, step } = data;
    if (pieces.length !== this.#places.length) this.#mask(pieces.length);
    pieces.forEach((piece, i) => {
      if (piece === null || this.#places[i] !== null) return;
      const at = revealed.indexOf(i);
      const isSeen = at !== -1;
      const facts = isSeen ? factsOf(data, at) : [];
      const fallen = { piece, step: isSeen ? step : 0, confidence: confidence[at] ?? null, facts };
      this.#places[i] = fallen;
      this.#current.children[i]?.replaceWith(this.#token(fallen));
    });
  }

  /** @param {BlockData} data */
  block({ text, tokens }) {
    const fallen = this.#places.filter((each) => each !== null);
    const block = { text, tokens: fallen.length === this.#places.length ? fallen : [] };
    this.#blocks.push(block);
    this.#left -= tokens.length;
    keepAtEnd(this.#element, () => {
      this.#finished.append(this.#finish(block));
      // The last block is whole, too, until it is cut at the length.
      this.#mask(this.#left > 0 ? this.#blockSize : 0);
    });
  }

  /** Takes the masks away: no block follows. */
  end() {
    this.#mask(0);
  }

  /**
   * Sets whether finished blocks keep the colours of their tokens.
   *
   * @param {boolean} keeps
   */
  keepColours(keeps) {
    this.#keepsColours = keeps;
    this.#finished.replaceChildren(...this.#blocks.map((block) => this.#finish(block)));
  }

  /** @param {number} count */
  #mask(count) {
    this.#places = Array(count).fill(null);
    this.#current.replaceChildren(...this.#places.map((_, i) => {
      const mask = create("span", { class: "mask" });
      mask.style.setProperty("--place", String(i));
      return mask;
    }));
  }

  /** @param {{ text: string, tokens: readonly Fallen[] }} block */
  #finish({ text, tokens }) {
    // Not where a character lies across tokens, or a stop string has cut the text.
    const isWhole = tokens.map(({ piece }) => piece).join("") === text;
    if (!this.#keepsColours || !isWhole) return create("span", { class: "block" }, text);
    return create("span", { class: "block" }, ...tokens.map((each) => this.#token(each, true)));
  }

  /**
   * @param {Fallen} fallen
   * @param {boolean} [isText] Whether line breaks are to break lines.
   */
  #token({ piece, step, confidence, facts }, isText = false) {
    const said = [
      JSON.stringify(piece),
      ...(step > 0 ? [`step ${step}`] : []),
      ...(confidence !== null ? [`confidence ${toPercent(confidence)}`] : []),
      ...facts,
    ];
    const shown = isText ? piece : piece.replaceAll("\n", "↵");
    const token = createToken(shown, said.join(", "));
    if (piece === "") token.classList.add("end");
    if (step === 0 || confidence === null) return token;
    token.classList.add("seen");
    const share = this.#steps === 1 ? 0 : Math.min(1, (step - 1) / (this.#steps - 1));
    token.style.setProperty("--confidence", confidence.toFixed(3));
    token.style.setProperty("--step", share.toFixed(3));
    return token;
  }
}

/**
 * What the request has asked to be told of a token.
 *
 * @param {StepData} data
 * @param {number} at Its place among those that the step revealed.
 */
function factsOf({ logprobs, entropy, top_logprobs: top }, at) {
  const likely = top?.[at]?.map(({ piece, logprob }) =>
    `${JSON.stringify(piece)} ${toPercent(Math.exp(logprob))}`
  );
  return [
    ...(logprobs !== undefined ? [`ln p ${logprobs[at]?.toFixed(3)}`] : []),
    ...(entropy !== undefined ? [`entropy ${entropy[at]?.toFixed(3)}`] : []),
    ...(likely !== undefined ? [`most probable: ${likely.join(", ")}`] : []),
  ];
}

/** @param {number} share */
function toPercent(share) {
  return `${(100 * share).toFixed(1)} %`;
}
