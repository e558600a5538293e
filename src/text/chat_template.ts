import type { Tokenizer } from "./tokenizer.ts";

/** A message of a chat, its parts joined. */
export interface ChatMessage {
  /** Who says it. */
  readonly role: "system" | "developer" | "user" | "assistant";
  /** What is said. */
  readonly content: string;
  /** Who says it, among several in the same role. */
  readonly name?: string;
}

/** Turns a chat into the prompt of the assistant's next message. */
export interface ChatTemplate {
  /** Names of what can be switched on and off in it, such as `enable_thinking`; rising. */
  readonly switches: readonly string[];
  /**
   * The tokens of the prompt. What the messages say never turns into special tokens.
   *
   * @param switches Values of those that are not left as they are; only of `switches`.
   * @throws {ChatTemplateError} If the template does not take these messages.
   */
  tokens(messages: readonly ChatMessage[], switches?: Readonly<Record<string, boolean>>): number[];
}

/** Thrown when a chat template does not take messages. Its message holds nothing of them. */
export class ChatTemplateError extends Error {
  override readonly name = "ChatTemplateError";
}

/** The template that is built in: a line for each message, which begins with the role. */
export class PlainChatTemplate implements ChatTemplate {
  readonly switches: readonly string[] = [];
  readonly #tokenizer: Pick<Tokenizer, "encode">;

  constructor(tokenizer: Pick<Tokenizer, "encode">) {
    this.#tokenizer = tokenizer;
  }

  tokens(messages: readonly ChatMessage[]): number[] {
    const lines = messages.map(({ role, content }) => `${role}: ${content}\n`);
    return this.#tokenizer.encode(`${lines.join("")}assistant:`);
  }
}
