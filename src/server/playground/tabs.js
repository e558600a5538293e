/**
 * Makes a list of tabs work, with arrow keys too; the first is chosen.
 *
 * Source: WAI-ARIA Authoring Practices, "Tabs with automatic activation".
 *
 * @param {HTMLElement} list
 * @param {(id: string) => void} onChoose Called with the id of the panel.
 */
export function makeTabs(list, onChoose) {
  const tabs = /** @type {HTMLElement[]} */ ([...list.querySelectorAll("[role=tab]")]);
  /** @param {HTMLElement} chosen */
  const choose = (chosen) => {
    for (const tab of tabs) {
      const isChosen = tab === chosen;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      const panel = document.getElementById(tab.getAttribute("aria-controls") ?? "");
      if (panel !== null) panel.hidden = !isChosen;
      if (isChosen && panel !== null) onChoose(panel.id);
    }
  };
  for (const tab of tabs) tab.addEventListener("click", () => choose(tab));
  list.addEventListener("keydown", (event) => {
    const shown = tabs.filter((tab) => !tab.hidden);
    const at = shown.findIndex((tab) => tab === document.activeElement);
    const last = shown.length - 1;
    const next = /** @type {Record<string, number>} */ ({
      ArrowRight: at === last ? 0 : at + 1,
      ArrowLeft: at <= 0 ? last : at - 1,
      Home: 0,
      End: last,
    })[event.key];
    const tab = next === undefined ? undefined : shown[next];
    if (tab === undefined) return;
    event.preventDefault();
    tab.focus();
    choose(tab);
  });
  if (tabs[0] !== undefined) choose(tabs[0]);
}
