import { z } from "zod";
import type { ChatTemplate } from "../text/chat_template.ts";
import { JinjaChatTemplate } from "../text/jinja_chat_template.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { TokenizerConfig } from "../text/vocabulary.ts";
import { type Checkpoint, CheckpointError } from "../weights/checkpoint.ts";

const TEMPLATE_FILE = "chat_template.jinja";
const CONFIG_FILE = "tokenizer_config.json";

/** Three times the largest in use. Reading one of nothing but spaces takes time in their square. */
const MAX_BYTES = 1 << 16;

/** A template, or several by name of which one is for ordinary chats. */
const Templates = z.union([
  z.string(),
  z.array(z.looseObject({ name: z.string(), template: z.string() })),
]).nullish();

/**
 * Loads the chat template of a checkpoint: a file of its own, else an entry of
 * `tokenizer_config.json`.
 *
 * @returns null where there is none.
 * @throws {CheckpointError} If it is no template.
 */
export function loadChatTemplate(
  checkpoint: Checkpoint,
  tokenizer: Tokenizer,
): ChatTemplate | null {
  const config = checkpoint.json(CONFIG_FILE) ?? {};
  const found = fromFile(checkpoint) ?? fromConfig(config);
  if (found === null) return null;
  const { file, source } = found;
  if (source.length > MAX_BYTES) {
    const size = `${source.length} characters`;
    throw invalid(file, `the chat template has ${size}, expected at most ${MAX_BYTES}`);
  }
  try {
    const specialTokens = namesOf(config);
    return new JinjaChatTemplate(source, { tokenizer, specialTokens, now: () => new Date() });
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message.slice(0, 300) : "it is unusable";
    throw invalid(file, problem, cause);
  }
}

interface Found {
  readonly file: string;
  readonly source: string;
}

function fromFile(checkpoint: Checkpoint): Found | null {
  const bytes = checkpoint.bytes(TEMPLATE_FILE, { maxBytes: MAX_BYTES });
  if (bytes === null) return null;
  try {
    const source = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return { file: TEMPLATE_FILE, source };
  } catch (cause) {
    throw invalid(TEMPLATE_FILE, "it is not valid UTF-8", cause);
  }
}

function fromConfig(config: Readonly<Record<string, unknown>>): Found | null {
  const { data, error } = Templates.safeParse(config.chat_template);
  if (error) throw invalid(CONFIG_FILE, 'key "chat_template" is no template, expected text');
  const source = Array.isArray(data) ? data.find(({ name }) => name === "default")?.template : data;
  return source === undefined || source === null ? null : { file: CONFIG_FILE, source };
}

/** Contents of special tokens by the keys that name them. */
function namesOf(config: Readonly<Record<string, unknown>>): Record<string, string> {
  const { data = {} } = TokenizerConfig.safeParse(config);
  const named = Object.entries(data).filter(([key]) => key.endsWith("_token"));
  return Object.fromEntries(named.flatMap(([key, token]) => {
    const content = typeof token === "object" && token !== null && "content" in token
      ? token.content
      : token;
    return typeof content === "string" ? [[key, content]] : [];
  }));
}

function invalid(file: string, problem: string, cause?: unknown): CheckpointError {
  return new CheckpointError(file, "invalid_chat_template", problem, { cause });
}
