import { abortable } from "@std/async";
import { RequestError } from "../server/errors.ts";
import { checkSwitches, promptOf } from "../server/chat_messages.ts";
import { DEFAULT_MAX_TOKENS } from "../server/plan.ts";
import { type ChatMessage, PlainChatTemplate } from "../text/chat_template.ts";
import { CHAT_HELP, type ChatOptions, parseChatOptions } from "./chat_options.ts";
import { UsageError } from "./flags.ts";
import { generate, planRequest } from "./generation.ts";
import { summaryLine } from "./generation_report.ts";
import { Interrupts } from "./interrupts.ts";
import {
  errorLine,
  type OpenedModel,
  processSurroundings,
  runModelCommand,
  type Surroundings,
} from "./model_command.ts";
import { dim } from "./terminal.ts";
import { LineReader } from "./terminal_input.ts";

/** Where the model begins to speak for the user. */
const PLAIN_STOP = "\nuser:";

interface ChatContext {
  readonly options: ChatOptions;
  readonly signal: AbortSignal;
  readonly surroundings: Surroundings;
  readonly interrupts: Interrupts;
}

/** Where and how a chat is led. */
interface Dialogue extends ChatContext {
  /** Whether somebody types and reads: then Ctrl-C stops what is under way, not the chat. */
  readonly isLive: boolean;
}

/** Answers messages from stdin until it ends, and gives the exit status. */
export async function run(
  args: readonly string[],
  open: (options: ChatOptions) => Promise<OpenedModel>,
  surroundings: Surroundings = processSurroundings(),
): Promise<number> {
  const interrupts = new Interrupts(surroundings.onInterrupt);
  return await runModelCommand(args, {
    help: CHAT_HELP,
    parse: parseChatOptions,
    open,
    use: (model, context) => chat(model, { ...context, surroundings, interrupts }),
    surroundings: { ...surroundings, onInterrupt: interrupts.onInterrupt },
  });
}

async function chat(model: OpenedModel, context: ChatContext): Promise<void> {
  const { options: { system }, signal, surroundings: { stdin, stdout, stderr } } = context;
  checkTemplate(model, context.options);
  const isLive = stdin.isTerminal && stdout.isTerminal;
  const tell = (line: string) => isLive && stdout.write(dim(stdout, line) + "\n");
  const invite = () => isLive && stdout.write(dim(stdout, "> "));
  const hint = () => {
    stdout.write("\n");
    tell("Ctrl-D leaves");
    invite();
  };
  const lines = new LineReader(stdin.open());
  let said: readonly ChatMessage[] = system === null ? [] : [{ role: "system", content: system }];
  tell(`${model.engine.model.id}: Ctrl-C stops an answer, Ctrl-D leaves`);
  while (true) {
    invite();
    using _hint = isLive ? context.interrupts.take(hint) : null;
    const line = await abortable(lines.next(), signal);
    if (line === null) break;
    if (line.trim() === "") continue;
    try {
      said = await answer(model, [...said, { role: "user", content: line }], {
        ...context,
        isLive,
      });
    } catch (error) {
      // What is refused is not said; the chat goes on.
      if (!isLive || !(error instanceof UsageError)) throw error;
      stderr.write(errorLine(error, stderr) + "\n");
    }
  }
  if (isLive) stdout.write("\n");
}

/** The chat with an answer to its last message, printed; what is stopped by Ctrl-C counts. */
async function answer(
  model: OpenedModel,
  messages: readonly ChatMessage[],
  context: Dialogue,
): Promise<readonly ChatMessage[]> {
  const { options, signal, interrupts, isLive, surroundings: { stdout, stderr } } = context;
  const { kept, request } = fit(model, messages, context);
  const stop = stopsOf(options, model);
  const interruption = new AbortController();
  using _stop = isLive ? interrupts.take(() => interruption.abort()) : null;
  let content = "";
  const onText = (text: string) => void (content += text);
  const either = AbortSignal.any([signal, interruption.signal]);
  try {
    const output = { ...model, output: stdout, signal: either, onText };
    const summary = await generate({ request, stop }, output);
    if (stderr.isTerminal) stderr.write(dim(stderr, summaryLine(summary, request)) + "\n");
  } catch (error) {
    if (!interruption.signal.aborted || signal.aborted) throw error;
    if (stderr.isTerminal) stderr.write(dim(stderr, "stopped") + "\n");
  }
  return [...kept, { role: "assistant", content: content.trim() }];
}

/**
 * What is asked of the engine: the chat, without its oldest messages where it is too long.
 *
 * @throws {UsageError} If the last message alone is, or the template does not take it.
 */
function fit(
  model: OpenedModel,
  messages: readonly ChatMessage[],
  { options, surroundings: { stdout, stderr, randomBytes } }: ChatContext,
) {
  const { contextLength } = model.engine.model;
  // Half of the context is for what was said.
  const room = options.request.overflow === "slide" ? Infinity : Math.floor(contextLength / 2);
  const max_tokens = options.request.max_tokens ?? Math.min(DEFAULT_MAX_TOKENS, room);
  const trace = options.trace && stdout.isTerminal;
  for (let kept = messages;; kept = withoutOldest(kept)) {
    try {
      const switches = Object.fromEntries(options.template);
      const prompt = refusing(() => promptOf([...kept], model, { switches }));
      const asked = { request: { ...options.request, prompt, max_tokens } };
      const request = planRequest(asked, model, { trace, randomBytes });
      if (kept.length < messages.length && stderr.isTerminal) {
        stderr.write(dim(stderr, "the oldest messages are forgotten: the context is full") + "\n");
      }
      return { kept, request };
    } catch (error) {
      if (!isTooLong(error) || withoutOldest(kept).length === 0) throw error;
    }
  }
}

/**
 * Gives what `check` gives.
 *
 * @throws {UsageError} What it refuses.
 */
function refusing<T>(check: () => T): T {
  try {
    return check();
  } catch (cause) {
    if (!(cause instanceof RequestError)) throw cause;
    const message = cause.message.replace("chat_template_kwargs.", "--template ");
    throw new UsageError(message, { cause });
  }
}

/** Without the first question and its answer; nothing where there is only one question. */
function withoutOldest(messages: readonly ChatMessage[]): readonly ChatMessage[] {
  const [first, ...others] = messages;
  if (first?.role === "system") {
    const rest = withoutOldest(others);
    return rest.length === 0 ? [] : [first, ...rest];
  }
  return messages.slice(2);
}

function isTooLong(error: unknown): boolean {
  if (!(error instanceof UsageError)) return false;
  const { cause } = error;
  return cause instanceof RequestError && cause.code === "context_length_exceeded";
}

function stopsOf({ request: { stop } }: ChatOptions, { chat }: OpenedModel): readonly string[] {
  return stop.length === 0 && chat instanceof PlainChatTemplate ? [PLAIN_STOP] : stop;
}

/** @throws {UsageError} If the model is not made for chats, or its template has no such switches. */
function checkTemplate({ chat, engine }: OpenedModel, { template }: ChatOptions): void {
  if (chat !== null) return void refusing(() => checkSwitches(Object.fromEntries(template), chat));
  throw new UsageError(
    `Cannot chat: the model ${JSON.stringify(engine.model.id)} has no chat template; ` +
      "give --chat-template plain, or --model with one that has",
  );
}
