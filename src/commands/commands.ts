/** The commands of `main.ts`: how each is called, and what it does, for `--help`. */
export const COMMANDS = {
  serve: { usage: "serve", summary: "answer HTTP requests; where only flags are given, too" },
  generate: { usage: "generate PROMPT", summary: "print what the model makes of a prompt" },
  chat: { usage: "chat", summary: "chat with the model on the terminal" },
  profile: { usage: "profile PROMPT", summary: "say how long which kernel takes for that" },
  evaluate: { usage: "evaluate", summary: "say how likely the model finds a text" },
  train: { usage: "train", summary: "train a model on a text" },
  tokenizer: { usage: "tokenizer", summary: "learn a tokenizer from a text" },
  pull: { usage: "pull ORG/NAME", summary: "download a model from a hub" },
  quantize: { usage: "quantize DIR OUT", summary: "store a checkpoint in fewer bits" },
  check: { usage: "check DIR", summary: "say whether a checkpoint can be served" },
  doctor: { usage: "doctor", summary: "say whether this machine can serve" },
} as const;

/** A command of `main.ts`. */
export type Command = keyof typeof COMMANDS;

/** Whether there is a command called `name`. */
export function isCommand(name: string): name is Command {
  return Object.hasOwn(COMMANDS, name);
}

/** One line per command for `--help`. */
export function describeCommands(): string {
  const all = Object.values(COMMANDS);
  const width = Math.max(...all.map(({ usage }) => usage.length));
  return all.map(({ usage, summary }) => `  ${usage.padEnd(width)}  ${summary}`).join("\n");
}
