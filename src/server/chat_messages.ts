import { z } from "zod";
import { type ChatTemplate, ChatTemplateError } from "../text/chat_template.ts";
import { cut, RequestError, show } from "./errors.ts";
import type { LoadedModel } from "./loaded_models.ts";

const ROLES = ["system", "developer", "user", "assistant"] as const;

/** Messages of one chat. */
export const MOST_MESSAGES = 512;

/** Roles of OpenAI's that need tools, which this server does not have. */
const UNSUPPORTED_ROLES: readonly unknown[] = ["tool", "function"];

/** Fields of OpenAI's messages that this server does not know, and the values that say nothing. */
export const UNSUPPORTED_FIELDS: Readonly<Record<string, readonly string[]>> = {
  refusal: ["null", '""'],
  tool_calls: ["null", "[]"],
  function_call: ["null"],
  audio: ["null"],
  annotations: ["null", "[]"],
  tool_call_id: ["null"],
};

const TextPart = z.strictObject({
  type: z.literal("text").describe("Other types are not supported."),
  text: z.string().describe("A piece of the content."),
});

/** One of `messages`. */
export const Message = z.strictObject({
  role: z.enum(ROLES).describe("Who says it."),
  content: z.union([z.string(), z.array(TextPart).min(1)])
    .describe("What is said; parts are joined."),
  name: z.string().optional().describe("Who says it, among several in the same role."),
});

/** `messages` of a request. */
export const Messages = z.array(Message).min(1).max(MOST_MESSAGES)
  .describe("The chat so far, oldest message first.");

/**
 * Looks through the messages of a request for what OpenAI has and this server does not: leaves out
 * what says nothing, such as the `refusal: null` of an answer that is sent back.
 *
 * @returns The `messages` to validate, or nothing where they are no array.
 * @throws {RequestError} `unsupported_parameter` for what would say something.
 */
export function checkMessages(
  { messages }: Readonly<Record<string, unknown>>,
): { messages?: unknown[] } {
  if (!Array.isArray(messages)) return {};
  return { messages: messages.map((each, i) => checkMessage(each, `messages[${i}]`)) };
}

function checkMessage(message: unknown, path: string): unknown {
  if (!isObject(message)) return message;
  if (UNSUPPORTED_ROLES.includes(message.role)) throw unsupported(`${path}.role`, message.role);
  if (Array.isArray(message.content)) {
    message.content.forEach((part, i) => checkPart(part, `${path}.content[${i}]`));
  }
  const kept = Object.entries(message).filter(([name, value]) => {
    if (!Object.hasOwn(UNSUPPORTED_FIELDS, name)) return name !== "name" || value !== null;
    if (UNSUPPORTED_FIELDS[name]!.includes(JSON.stringify(value))) return false;
    throw unsupported(`${path}.${name}`, value);
  });
  return Object.fromEntries(kept);
}

function checkPart(part: unknown, path: string): void {
  if (!isObject(part) || typeof part.type !== "string" || part.type === "text") return;
  throw unsupported(`${path}.type`, part.type);
}

function unsupported(param: string, value: unknown): RequestError {
  const message = `${param} is not supported, got ${show(value)}`;
  return new RequestError("unsupported_parameter", message, { param });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Switches of a template, as a request sets them. */
export const TemplateSwitches = z.record(z.string(), z.boolean().nullable());

/** Values by the names of switches; null leaves one as it is. */
export type TemplateSwitches = z.output<typeof TemplateSwitches>;

/**
 * The prompt that the model's template makes of a chat.
 *
 * @throws {RequestError} If the model has no template, or it does not take these messages, or has no
 * such switches.
 */
export function promptOf(
  messages: z.output<typeof Messages>,
  { chat, engine }: LoadedModel,
  { switches = {} }: { readonly switches?: TemplateSwitches | undefined } = {},
): number[] {
  if (chat === null) {
    const message = `The model ${show(engine.model.id)} has no chat template`;
    throw new RequestError("chat_not_supported", message, { param: "model" });
  }
  const set = checkSwitches(switches, chat);
  const chatMessages = messages.map(({ role, content, name }) => ({
    role,
    content: typeof content === "string" ? content : content.map(({ text }) => text).join(""),
    ...(name !== undefined && { name }),
  }));
  try {
    return chat.tokens(chatMessages, set);
  } catch (error) {
    if (!(error instanceof ChatTemplateError)) throw error;
    throw new RequestError("invalid_value", error.message, { param: "messages" });
  }
}

/**
 * The switches that are set.
 *
 * @throws {RequestError} If the template does not have all of them.
 */
export function checkSwitches(
  switches: TemplateSwitches,
  { switches: known }: ChatTemplate,
): Record<string, boolean> {
  const unknown = Object.keys(switches).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const param = `chat_template_kwargs.${cut(unknown)}`;
    const message = `Unknown parameter ${show(param)}: the model's chat template takes ` +
      (known.length === 0 ? "none" : known.join(", "));
    throw new RequestError("unknown_parameter", message, { param });
  }
  const set = Object.entries(switches).filter((each): each is [string, boolean] =>
    each[1] !== null
  );
  return Object.fromEntries(set);
}
