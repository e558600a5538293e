/** A page that is complete in itself, and the Content-Security-Policy that lets it be just that. */
export interface Page {
  readonly html: string;
  readonly policy: string;
}

/** What takes the place of the files that a page names, by their names. */
export interface PageParts {
  readonly styles: Readonly<Record<string, string>>;
  readonly scripts: Readonly<Record<string, string>>;
}

/** What the parts of a page may do: nothing but to call the server that it came from. */
const POLICY = [
  "default-src 'none'",
  "connect-src 'self'",
  // The icon is part of the page.
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
];

/**
 * Puts styles and scripts into the page, where it names them as files.
 *
 * @throws {TypeError} If it does not name one of them, or names one that is not there.
 */
export async function joinPage(page: string, { styles, scripts }: PageParts): Promise<Page> {
  let html = page;
  for (const [name, style] of Object.entries(styles)) {
    html = replaceOnce(html, `<link rel="stylesheet" href="${name}">`, `<style>${style}</style>`);
  }
  for (const [name, script] of Object.entries(scripts)) {
    const inline = `<script type="module">${script}</script>`;
    html = replaceOnce(html, `<script type="module" src="${name}"></script>`, inline);
  }
  const missing = /<link rel="stylesheet"[^>]*>|<script[^>]* src=[^>]*>/.exec(html);
  if (missing) throw new TypeError(`Cannot join the page: there is no file for ${missing[0]}`);
  const policy = [
    ...POLICY,
    `style-src ${await hashes(styles)}`,
    `script-src ${await hashes(scripts)}`,
  ];
  return { html, policy: policy.join("; ") };
}

/**
 * Joins modules that import each other, and nobody else, into one.
 *
 * @param modules Each after those that it imports. Names are shared, so that none may be twice.
 * @throws {TypeError} If an import or export is left that is none of the known forms.
 */
export function joinModules(modules: readonly string[]): string {
  const joined = modules.map((text) =>
    text.replace(/^import \{[^}]*\} from "\.\/\w+\.js";\n/gm, "")
      .replace(/^export (?=(?:async )?function\b|class\b|const\b)/gm, "")
  ).join("\n");
  const left = /^(?:import|export)\b.*/m.exec(joined);
  if (left) throw new TypeError(`Cannot join modules: one has ${JSON.stringify(left[0])}`);
  return joined;
}

function replaceOnce(html: string, tag: string, by: string): string {
  const parts = html.split(tag);
  if (parts.length === 2) return parts.join(by);
  throw new TypeError(
    `Cannot join the page: it has ${tag} ${parts.length - 1} times, expected once`,
  );
}

async function hashes(parts: Readonly<Record<string, string>>): Promise<string> {
  const sources = Object.values(parts).map(async (text) => {
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    return `'sha256-${new Uint8Array(digest).toBase64()}'`;
  });
  return (await Promise.all(sources)).join(" ");
}
