/**
 * Makes an element. Attributes that are false are left out, true ones are empty.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Readonly<Record<string, string | number | boolean | undefined>>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function create(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

/**
 * The element of the page that `selector` finds.
 *
 * @template {Element} Kind
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => Kind} kind
 * @returns {Kind}
 */
export function find(root, selector, kind) {
  const element = root.querySelector(selector);
  if (element instanceof kind) return element;
  throw new TypeError(`Cannot find ${selector}: it is ${element}`);
}

/**
 * Text in which `code` stands between backticks.
 *
 * @param {string} text
 * @returns {(Node | string)[]}
 */
export function prose(text) {
  return text.split("`").map((part, i) => i % 2 === 1 ? create("code", {}, part) : part);
}

/**
 * A token as it stands in a text: its colour lies under its letters, not under the space before
 * them.
 *
 * @param {string} piece
 * @param {string} title
 */
export function createToken(piece, title) {
  const letters = piece.trimStart();
  const space = piece.slice(0, piece.length - letters.length);
  const token = create("span", { class: "token", title }, space);
  // An end token has no letters; it gets its mark in their place.
  if (letters !== "" || piece === "") token.append(create("span", {}, letters));
  return token;
}

/**
 * Lets a button do what it does, or nothing; either way it keeps the focus.
 *
 * @param {HTMLButtonElement} button
 * @param {boolean} isAble
 */
export function enable(button, isAble) {
  button.setAttribute("aria-disabled", String(!isAble));
}

/**
 * Whether an element is scrolled to its end; then `scroll` keeps it there after `change`.
 *
 * @param {Element} element
 * @param {() => void} change
 */
export function keepAtEnd(element, change) {
  const isAtEnd = element.scrollHeight - element.scrollTop - element.clientHeight < 40;
  change();
  if (isAtEnd) element.scrollTop = element.scrollHeight;
}
