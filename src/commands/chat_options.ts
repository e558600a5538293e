import { type Kind, oneOf, optional, repeatable, text, UsageError, type Values } from "./flags.ts";
import {
  describeGeneration,
  type GenerationOptions,
  readGeneration,
  TRACE,
} from "./generate_options.ts";

const templateSwitch: Kind<readonly [name: string, isOn: boolean]> = {
  placeholder: "NAME=BOOL",
  expected: 'a switch of the template and its value, such as "enable_thinking=false"',
  parse(text) {
    const [, name, value] = /^([^=]+)=(true|false)$/.exec(text) ?? [];
    return name === undefined ? undefined : [name, value === "true"];
  },
};

const OWN = {
  chatTemplate: optional(oneOf("plain"), "how messages become a prompt; else the model's own way"),
  template: repeatable(templateSwitch, "switch something in the template on or off"),
  system: optional({ ...text, placeholder: "TEXT" }, "what the model is told before the chat"),
  ...TRACE,
};

/** What the command line of `chat` asks for; the prompt of its request counts nothing. */
export type ChatOptions = GenerationOptions & Values<typeof OWN>;

/** The text for `--help`. */
export const CHAT_HELP =
  `Chats with a model: a line is a message, and the model sees what was said before.

Usage: deno task chat [FLAGS]

Ctrl-C stops an answer, Ctrl-D leaves. Where the context is full, the oldest messages are forgotten;
an answer gets up to 256 tokens, or half of the context, unless --max-tokens says otherwise. Without
a terminal, messages are read from a pipe and only answers are printed. With the plain template an
answer ends where the model begins to speak for the user, unless --stop says otherwise.

${describeGeneration(OWN)}`;

/**
 * Reads the command line of `chat`.
 *
 * @throws {UsageError} If a flag is unknown or a value does not fit.
 */
export function parseChatOptions(args: readonly string[]): ChatOptions {
  const options = readGeneration(args, OWN);
  if (options.promptSource === "default") return options;
  throw new UsageError(
    "Cannot read the command line: a message is given, expected flags alone; start the chat, then type",
  );
}
