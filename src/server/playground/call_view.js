import { curlCall, javaScriptCall } from "./calls.js";
import { create } from "./dom.js";

/** @typedef {import("./calls.js").Call} Call */

const LANGUAGES = { curl: curlCall, JavaScript: javaScriptCall };

/** The request of the page as anybody can send it. */
export class CallView {
  #code = create("code");
  /** @type {keyof typeof LANGUAGES} */
  #language = "curl";
  /** @type {Call | null} */
  #call = null;

  /**
   * @param {HTMLElement} element
   * @param {string} id Sets it apart from others of the page.
   */
  constructor(element, id) {
    const radios = /** @type {(keyof typeof LANGUAGES)[]} */ (Object.keys(LANGUAGES)).map(
      (name) => {
        const checked = name === this.#language;
        const radio = create("input", { type: "radio", name: `${id}-language`, checked });
        radio.addEventListener("change", () => {
          this.#language = name;
          this.#draw();
        });
        return create("label", {}, radio, name);
      },
    );
    const copy = create("button", { type: "button", class: "quiet" }, "Copy");
    const said = create("span", { role: "status" });
    copy.addEventListener("click", async () => {
      said.textContent = await this.#copy() ? "Copied" : "Selected";
    });
    element.replaceChildren(
      create("fieldset", {}, create("legend", {}, "Call"), ...radios, copy, said),
      create("pre", {}, this.#code),
    );
  }

  /** @param {Call} call */
  show(call) {
    this.#call = call;
    this.#draw();
  }

  #draw() {
    if (this.#call !== null) this.#code.textContent = LANGUAGES[this.#language](this.#call);
  }

  /** Whether it is in the clipboard; where pages have none it is selected instead. */
  async #copy() {
    try {
      await navigator.clipboard.writeText(this.#code.textContent ?? "");
      return true;
    } catch {
      getSelection()?.selectAllChildren(this.#code);
      return false;
    }
  }
}
