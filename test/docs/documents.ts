import { ROOT } from "../support/process.ts";

/** A command as a document has it. */
export interface Command {
  /** Path of the document, from the project's own directory. */
  readonly document: string;
  /** One line: continuations joined, comments and prompts left out. */
  readonly text: string;
}

/** Documents that tell people what to type. */
export async function listDocuments(): Promise<string[]> {
  const docs = await Array.fromAsync(Deno.readDir(`${ROOT}docs`), ({ name }) => `docs/${name}`);
  const models = await Array.fromAsync(
    Deno.readDir(`${ROOT}models`),
    ({ name }) => `models/${name}/README.md`,
  );
  return ["README.md", ...docs.filter((path) => path.endsWith(".md")).sort(), ...models.sort()];
}

/** Every command of a document: of its blocks, and `deno …` and `npx …` in running text. */
export async function commandsOf(document: string): Promise<Command[]> {
  const text = await Deno.readTextFile(ROOT + document);
  const fence = /^( *)```(\w*)\n([^]*?)^\1```$/gm;
  const blocks = [...text.matchAll(fence)].flatMap(([, , language = "", block = ""]) => {
    if (language === "sh" || language === "bash") return linesOf(block);
    if (language !== "console") return [];
    return linesOf(block).filter((line) => line.startsWith("$ ")).map((line) => line.slice(2));
  });
  const prose = text.replaceAll(fence, "");
  const spans = [...prose.matchAll(/`((?:deno|npx) [^`]+)`/g)].map(([, span = ""]) => span);
  return [...blocks, ...spans.map((each) => each.replace(/\s+/g, " "))]
    .map((each) => ({ document, text: each }));
}

/** The first block of a language in a document. */
export async function blockOf(document: string, language: string): Promise<string> {
  const text = await Deno.readTextFile(ROOT + document);
  const [, block] = new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, "m").exec(text) ?? [];
  if (block === undefined) throw new Error(`Cannot find a block of ${language} in ${document}`);
  return block;
}

/** Commands line by line: continuations joined, comments left out. */
function linesOf(block: string): string[] {
  return block.replace(/\\\n\s*/g, "")
    .split("\n")
    .flatMap((line) => line.replace(/\s+#.*$/, "").split(" && "))
    .map((line) => line.trim())
    .filter((line) => line !== "");
}
