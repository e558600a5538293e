import { Api, ApiError } from "./api.js";
import { CompareMode } from "./compare.js";
import { create, find } from "./dom.js";
import { GenerateMode } from "./generate.js";
import { ScoreMode } from "./score.js";
import { openSessions } from "./session.js";
import { makeTabs } from "./tabs.js";

const api = new Api(document.baseURI);
const connection = find(document, "#connection", HTMLElement);
const keyForm = find(document, "#key", HTMLFormElement);
const keyField = find(document, "#key-value", HTMLInputElement);
const modelSelect = find(document, "#model", HTMLSelectElement);
const tabs = find(document, "[role=tablist]", HTMLElement);
const scoreTab = find(document, "#tab-score", HTMLElement);
const modes = {
  generate: new GenerateMode(find(document, "#generate", HTMLElement), api),
  compare: new CompareMode(find(document, "#compare", HTMLElement), api),
  score: new ScoreMode(find(document, "#score", HTMLElement), api),
};

/** Asks the server what it has until it says; a key is asked for where one is needed. */
async function connect() {
  connection.textContent = "Connecting";
  try {
    const { models, sessionOf } = await openSessions(api);
    keyForm.hidden = true;
    connection.textContent = "";
    const open = () => {
      const session = sessionOf(modelSelect.value);
      for (const mode of Object.values(modes)) mode.open(session);
      scoreTab.hidden = !session.model.capabilities.score;
    };
    modelSelect.replaceChildren(...models.map(({ id }) => create("option", {}, id)));
    modelSelect.disabled = models.length < 2;
    modelSelect.addEventListener("change", open);
    open();
    tabs.hidden = false;
    makeTabs(tabs, sharePrompt);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    connection.textContent = error.message;
    if (error.status === 401) {
      keyForm.hidden = false;
      keyField.focus();
    } else {
      setTimeout(connect, error.retryMs || 2000);
    }
  }
}

/** @param {string} mode The one that is shown from now on. */
function sharePrompt(mode) {
  const { generate, compare } = modes;
  if (mode === "compare") compare.prompt = generate.prompt;
  if (mode === "generate" && compare.prompt !== "") generate.prompt = compare.prompt;
}

keyForm.addEventListener("submit", (event) => {
  event.preventDefault();
  api.key = keyField.value.trim();
  keyField.value = "";
  connect();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    modes.generate.stop();
    modes.compare.stop();
  }
  const isSubmit = event.key === "Enter" && (event.ctrlKey || event.metaKey);
  if (isSubmit && event.target instanceof HTMLTextAreaElement) event.target.form?.requestSubmit();
});

// A fold must not hide what a form waits for.
document.addEventListener("invalid", ({ target }) => {
  if (!(target instanceof Element)) return;
  for (
    let fold = target.closest("details");
    fold;
    fold = fold.parentElement?.closest("details") ?? null
  ) {
    fold.open = true;
  }
}, true);

const theme = find(document, "#theme", HTMLButtonElement);
theme.addEventListener("click", () => {
  const scheme = theme.textContent === "Dark" ? "dark" : "light";
  document.documentElement.style.colorScheme = scheme;
  nameTheme(scheme);
});

/** @param {"dark" | "light"} scheme The one that is shown. */
function nameTheme(scheme) {
  theme.textContent = scheme === "dark" ? "Light" : "Dark";
}

// Options stand open where there is room for them.
if (matchMedia("(min-width: 76rem)").matches) {
  for (const fold of document.querySelectorAll(":is(#generate, #score) .options")) {
    fold.setAttribute("open", "");
  }
}
nameTheme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
connect();
