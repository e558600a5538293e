import { create } from "./dom.js";

/** What the ends of each scale mean. */
const COLOURS = {
  confidence: { from: "unsure", to: "sure" },
  step: { from: "first step", to: "last step" },
};

/**
 * What colours mean, and the choice among them.
 *
 * @param {HTMLElement} element
 * @param {{ id: string, texts: readonly HTMLElement[], onKeep: (keeps: boolean) => void }} options
 */
export function makeLegend(element, { id, texts, onKeep }) {
  const scale = create("span", { class: "scale", "aria-hidden": "true" });
  const [from, to] = [create("span"), create("span")];
  /** @param {keyof typeof COLOURS} colour */
  const choose = (colour) => {
    for (const each of [...texts, scale]) each.dataset.colour = colour;
    from.textContent = COLOURS[colour].from;
    to.textContent = COLOURS[colour].to;
  };
  const radios = /** @type {(keyof typeof COLOURS)[]} */ (Object.keys(COLOURS)).map((colour, i) => {
    const radio = create("input", { type: "radio", name: `${id}-colour`, checked: i === 0 });
    radio.addEventListener("change", () => choose(colour));
    return create("label", {}, radio, colour);
  });
  const keep = create("input", { type: "checkbox" });
  keep.addEventListener("change", () => onKeep(keep.checked));
  const legend = create("legend", {}, "Colour by");
  element.replaceChildren(
    create("fieldset", {}, legend, ...radios),
    create("span", { class: "key" }, from, scale, to),
    create("label", {}, keep, "keep colours"),
  );
  choose("confidence");
}
