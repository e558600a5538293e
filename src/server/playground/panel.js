import { create } from "./dom.js";
import { format } from "./stats.js";

/** @typedef {import("./stats.js").RunStats} RunStats */

const SVG = "http://www.w3.org/2000/svg";
/** Units of a bar of the chart: its width with the gap, and the height of the longest. */
const [BAR, GAP, HEIGHT] = [8, 2, 48];

/** The figures of a run. */
export class Panel {
  #figures = new Map(
    ["Tokens per pass", "Passes", "Tokens", "Tokens per second", "First block"].map((name) => [
      name,
      create("dd", {}, "–"),
    ]),
  );
  #seed = create("button", { type: "button", class: "quiet", hidden: true });
  #caption = create("figcaption", {}, "ms per block");
  #chart = document.createElementNS(SVG, "svg");

  /**
   * @param {HTMLElement} element
   * @param {(seed: number) => void} onSeed Called when somebody wants a seed again.
   */
  constructor(element, onSeed) {
    const rows = [...this.#figures].map(([name, value]) =>
      create("div", {}, create("dt", {}, name), value)
    );
    const seed = create("div", {}, create("dt", {}, "Seed"), create("dd", {}, this.#seed));
    this.#seed.addEventListener("click", () => onSeed(Number(this.#seed.value)));
    this.#chart.setAttribute("role", "img");
    this.#chart.setAttribute("preserveAspectRatio", "none");
    element.replaceChildren(
      create("dl", {}, ...rows, seed),
      create("figure", {}, this.#chart, this.#caption),
    );
    this.#draw([]);
  }

  /** @param {RunStats} stats */
  show(stats) {
    const { tokens, passes, seed, firstBlockMs } = stats;
    this.#set("Tokens per pass", passes === 0 ? "–" : format(stats.tokensPerPass));
    this.#set("Passes", String(passes));
    this.#set("Tokens", String(tokens));
    this.#set("Tokens per second", format(stats.tokensPerSecond));
    this.#set("First block", firstBlockMs === null ? "–" : `${format(firstBlockMs)} ms`);
    this.#seed.hidden = seed === null;
    this.#seed.value = String(seed);
    this.#seed.textContent = String(seed);
    this.#seed.setAttribute("aria-label", `Use the seed ${seed} again`);
    this.#seed.title = "Use it again";
    if (stats.blockMs.length !== this.#chart.childElementCount) this.#draw(stats.blockMs);
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  #set(name, value) {
    const figure = this.#figures.get(name);
    if (figure !== undefined) figure.textContent = value;
  }

  /** @param {readonly number[]} blockMs */
  #draw(blockMs) {
    const longest = Math.max(...blockMs, 0);
    const bars = blockMs.map((ms, i) => {
      const height = longest === 0 ? 0 : Math.max(1, HEIGHT * ms / longest);
      const bar = document.createElementNS(SVG, "rect");
      const box = { x: i * BAR, y: HEIGHT - height, width: BAR - GAP, height };
      for (const [name, value] of Object.entries(box)) bar.setAttribute(name, String(value));
      const title = document.createElementNS(SVG, "title");
      title.textContent = `Block ${i}: ${format(ms)} ms`;
      bar.append(title);
      return bar;
    });
    this.#chart.replaceChildren(...bars);
    // A few blocks leave room: bars have the same width from run to run.
    this.#chart.setAttribute("viewBox", `0 0 ${BAR * Math.max(24, blockMs.length)} ${HEIGHT}`);
    const mean = blockMs.reduce((sum, ms) => sum + ms, 0) / Math.max(1, blockMs.length);
    const summary = blockMs.length === 0
      ? "ms per block"
      : `ms per block: mean ${format(mean)}, longest ${format(longest)}`;
    this.#caption.textContent = summary;
    this.#chart.setAttribute("aria-label", `Chart of ${summary}`);
  }
}
