/**
 * What checks do inside the page. Each function goes there as its text, so that it knows nothing of
 * this module.
 */

/** Runs axe-core, which was loaded into the page before. */
export async function runAxe() {
  const { violations, passes } = await globalThis.axe.run(document);
  const found = violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]);
  return { found, rules: passes.length };
}

/** What names the element that has the focus. */
export function focused() {
  const { id, className, textContent } = document.activeElement;
  return id || className || textContent || "";
}

/** How much wider the page is than the window. */
export function overflow() {
  return document.documentElement.scrollWidth - globalThis.innerWidth;
}

/** Background of an element as the browser paints it. */
export function backgroundOf(element) {
  return getComputedStyle(element).backgroundColor;
}

/** Notes what can be seen of the text whenever it changes, in `watched`. */
export function watchText() {
  const text = document.querySelector("#generate .text");
  const count = (selector) => text.querySelectorAll(selector).length;
  globalThis.watched = { sights: [], colours: [] };
  new MutationObserver(() => {
    const [blocks, places, masks] = [".block", ".current > *", ".mask"].map(count);
    globalThis.watched.sights.push({ blocks, places, masks });
    for (const token of text.querySelectorAll(".current .seen")) {
      globalThis.watched.colours.push(token.style.getPropertyValue("--confidence"));
    }
  }).observe(text, { childList: true, subtree: true });
}

/** What {@linkcode watchText} has noted. */
export function watched() {
  return globalThis.watched;
}

/**
 * Whether a generation is amid its fifth block. Then that moment stands still: what goes on changes
 * what is not shown any more.
 */
export function freezeAmid() {
  const count = (selector) => document.querySelectorAll(`#generate ${selector}`).length;
  const isAmid = count(".block") === 4 && count(".current .token") >= 6;
  const shown = isAmid ? document.querySelectorAll("#generate :is(.text, .panel)") : [];
  for (const each of shown) each.replaceWith(each.cloneNode(true));
  return isAmid;
}
