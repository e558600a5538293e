import { create, prose } from "./dom.js";
import { isFor, valueOf } from "./fields.js";

/** @typedef {import("./fields.js").Field} Field */

/** What most people reach for, in the order in which it is shown; the rest is behind a fold. */
const FIRST = [
  ...["strategy", "block_size", "steps", "threshold", "entropy_bound"],
  ...["max_tokens", "temperature", "top_p", "top_k", "seed"],
];
/** Ranges as wide as this get a slider. */
const WIDEST_SLIDER = 2;

/** Controls for the fields of a request. */
export class Options {
  element = create("div", { class: "fields" });
  /** @type {Map<string, { field: Field, control: Control, row: HTMLElement, hint: HTMLElement }>} */
  #entries = new Map();
  #id;
  #onChange;

  /**
   * @param {readonly Field[]} fields
   * @param {{ id: string, onChange: () => void, explains?: boolean }} options `id` sets them apart
   * from others; `explains` is whether what they mean can be shown, not only read aloud.
   */
  constructor(fields, { id, onChange, explains = true }) {
    this.#id = id;
    this.#onChange = onChange;
    const first = FIRST.flatMap((name) => fields.filter((each) => each.name === name));
    const others = fields.filter((each) => !first.includes(each));
    this.element.append(...first.map((field) => this.#row(field)));
    if (others.length > 0) {
      const rows = create("div", { class: "fields" }, ...others.map((field) => this.#row(field)));
      this.element.append(create("details", {}, create("summary", {}, "More options"), rows));
    }
    if (explains) this.element.append(this.#explainButton());
    this.#update();
  }

  /** What a request has to say: fields that were changed, and that its strategy takes. */
  values() {
    /** @type {Record<string, unknown>} */
    const values = {};
    for (const [name, { field, control, row }] of this.#entries) {
      const value = row.hidden ? undefined : valueOf(field, textOf(control));
      if (value !== undefined) values[name] = value;
    }
    return values;
  }

  /**
   * Sets a field as if it were typed in.
   *
   * @param {string} name
   * @param {string} text
   */
  set(name, text) {
    const control = this.#entries.get(name)?.control;
    if (control === undefined) return;
    if (control instanceof HTMLInputElement && control.type === "checkbox") {
      control.checked = text === "true";
    } else {
      control.value = text;
    }
    this.#update();
    this.#onChange();
  }

  /**
   * Marks the field that a refusal is about, or none.
   *
   * @param {string | null} param
   */
  mark(param) {
    for (const [name, { control }] of this.#entries) {
      // `stop[0]` is about the field `stop`.
      if (param?.split("[")[0] === name) control.setAttribute("aria-invalid", "true");
      else control.removeAttribute("aria-invalid");
    }
  }

  /** @param {Field} field */
  #row(field) {
    const id = `${this.#id}-${field.name}`;
    const control = controlOf(field, id);
    const hint = create("p", { class: "hint", id: `${id}-hint`, hidden: true });
    hint.append(...prose(field.description));
    control.setAttribute("aria-describedby", hint.id);
    const shown = control instanceof HTMLInputElement && control.type === "range"
      ? [create("output", { for: id }, control.value)]
      : [];
    const label = create("label", { for: id }, field.name);
    const row = create("div", { class: `field ${field.kind}` }, label, ...shown, control, hint);
    control.addEventListener("input", () => {
      for (const output of shown) output.value = control.value;
      control.removeAttribute("aria-invalid");
      this.#update();
      this.#onChange();
    });
    this.#entries.set(field.name, { field, control, row, hint });
    return row;
  }

  #explainButton() {
    const button = create("button", { type: "button", class: "quiet", "aria-pressed": "false" });
    button.textContent = "Explain options";
    button.addEventListener("click", () => {
      const isOn = button.getAttribute("aria-pressed") === "false";
      button.setAttribute("aria-pressed", String(isOn));
      for (const { hint } of this.#entries.values()) hint.hidden = !isOn;
    });
    return button;
  }

  /** Shows what the chosen strategy takes, and lifts the limit that sliding lifts. */
  #update() {
    const strategy = this.#entries.get("strategy")?.control.value;
    for (const { field, row, control } of this.#entries.values()) {
      row.hidden = strategy !== undefined && !isFor(field, strategy);
      // What cannot be seen must not be in the way of the form.
      control.disabled = row.hidden;
    }
    const length = this.#entries.get("max_tokens");
    const slides = this.#entries.get("overflow")?.control.value === "slide";
    if (length === undefined) return;
    if (slides) length.control.removeAttribute("max");
    else length.control.setAttribute("max", String(length.field.maximum));
  }
}

/** @typedef {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Control */

/**
 * @param {Field} field
 * @param {string} id
 * @returns {Control}
 */
function controlOf(field, id) {
  const { kind, minimum, maximum, isExclusive = false, initial } = field;
  switch (kind) {
    case "toggle":
      return create("input", { id, type: "checkbox", checked: initial === "true" });
    case "lines":
      return create("textarea", { id, rows: 2, placeholder: "one per line", spellcheck: "false" });
    case "choice": {
      const options = (field.choices ?? []).map((choice) =>
        create("option", { selected: choice === initial }, choice)
      );
      return create("select", { id }, ...options);
    }
  }
  const bounds = { id, min: minimum, max: maximum };
  const placeholder = initial ?? (field.name === "seed" ? "drawn" : "default");
  if (kind === "integer") {
    return create("input", { ...bounds, type: "number", step: 1, placeholder });
  }
  const isNarrow = maximum !== undefined && maximum - (minimum ?? -Infinity) <= WIDEST_SLIDER;
  if (!isNarrow || initial === undefined) {
    return create("input", { ...bounds, type: "number", step: "any", placeholder });
  }
  const step = 0.01;
  const min = (minimum ?? 0) + (isExclusive ? step : 0);
  return create("input", { ...bounds, min, type: "range", step, value: initial });
}

/** @param {Control} control */
function textOf(control) {
  const isToggle = control instanceof HTMLInputElement && control.type === "checkbox";
  return isToggle ? String(control.checked) : control.value.trim() === "" ? "" : control.value;
}
