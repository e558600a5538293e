import callView from "./playground/call_view.js" with { type: "text" };
import api from "./playground/api.js" with { type: "text" };
import calls from "./playground/calls.js" with { type: "text" };
import compare from "./playground/compare.js" with { type: "text" };
import dom from "./playground/dom.js" with { type: "text" };
import events from "./playground/events.js" with { type: "text" };
import fields from "./playground/fields.js" with { type: "text" };
import generate from "./playground/generate.js" with { type: "text" };
import legend from "./playground/legend.js" with { type: "text" };
import main from "./playground/main.js" with { type: "text" };
import options from "./playground/options.js" with { type: "text" };
import page from "./playground/page.html" with { type: "text" };
import pageStyle from "./playground/page.css" with { type: "text" };
import panel from "./playground/panel.js" with { type: "text" };
import run from "./playground/run.js" with { type: "text" };
import score from "./playground/score.js" with { type: "text" };
import session from "./playground/session.js" with { type: "text" };
import stats from "./playground/stats.js" with { type: "text" };
import tabs from "./playground/tabs.js" with { type: "text" };
import textStyle from "./playground/text.css" with { type: "text" };
import textView from "./playground/text_view.js" with { type: "text" };
import { joinModules, joinPage } from "./page.ts";

/** The page's modules, each after those that it imports. */
const MODULES = [
  ...[events, api, calls, dom, fields, stats, session, tabs],
  ...[callView, legend, options, panel, textView, run],
  ...[generate, compare, score, main],
];

/** GET: a page to try the models on. */
export function playground(): () => Promise<Response> {
  // Made when somebody asks, which for most servers is never.
  let joined: ReturnType<typeof joinPage> | undefined;
  return async () => {
    const { html, policy } = await (joined ??= join());
    return new Response(html, {
      headers: {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        // What it is made of changes with the server's version only, but nothing in it says which.
        "Cache-Control": "no-cache",
      },
    });
  };
}

function join(): ReturnType<typeof joinPage> {
  const styles = { "page.css": pageStyle, "text.css": textStyle };
  return joinPage(page, { styles, scripts: { "main.js": joinModules(MODULES) } });
}
