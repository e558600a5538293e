/** A message of a chat, its parts joined. */
export interface ChatMessage {
  readonly role: "system" | "developer" | "user" | "assistant";
  readonly content: string;
  readonly name?: string;
}

/** Turns a chat into the prompt of the assistant's next message. */
export interface ChatTemplate {
  tokens(messages: readonly ChatMessage[]): number[];
}
