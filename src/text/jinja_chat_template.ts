import { Environment, Interpreter, Template } from "@huggingface/jinja";
import { type ChatMessage, type ChatTemplate, ChatTemplateError } from "./chat_template.ts";
import { Disguise } from "./disguise.ts";
import { strftime } from "./strftime.ts";
import { templateSwitches } from "./template_switches.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** What a {@linkcode JinjaChatTemplate} needs beside its source. */
export interface JinjaOptions {
  readonly tokenizer: Pick<Tokenizer, "special" | "control" | "encodeTemplate">;
  /** Contents of special tokens by the names that the template has for them, such as `bos_token`. */
  readonly specialTokens: Readonly<Record<string, string>>;
  /** Templates may write the date. */
  readonly now: () => Date;
}

/** What `raise_exception()` throws. */
class Refusal extends Error {}

/**
 * A chat template of a checkpoint, in Jinja as Hugging Face's libraries understand it.
 *
 * Source: transformers, `utils/chat_template_utils.py`.
 */
export class JinjaChatTemplate implements ChatTemplate {
  readonly switches: readonly string[];
  readonly #source: string;
  readonly #template: Template;
  readonly #options: JinjaOptions;

  /** @throws {SyntaxError} If `source` is no template. */
  constructor(source: string, options: JinjaOptions) {
    this.#source = source.replace(/\r\n?/g, "\n");
    this.#options = options;
    try {
      this.#template = new Template(this.#source);
    } catch (cause) {
      const problem = cause instanceof Error ? cause.message : String(cause);
      throw new SyntaxError(`Cannot read the chat template: ${problem}`, { cause });
    }
    const known = new Set([...Object.keys(this.#variables([])), ...NAMED_TOKENS]);
    this.switches = templateSwitches(this.#template.parsed, { known });
  }

  tokens(
    messages: readonly ChatMessage[],
    switches: Readonly<Record<string, boolean>> = {},
  ): number[] {
    const { tokenizer } = this.#options;
    const texts = messages.flatMap(({ content, name = "" }) => [content, name]);
    const disguise = new Disguise(tokenizer.control, [this.#source, ...texts]);
    try {
      const shown = messages.map((each) => this.#show(each, disguise));
      return tokenizer.encodeTemplate(this.#render(shown, switches), disguise);
    } catch (cause) {
      throw this.#toError(cause);
    }
  }

  /**
   * A message as the template sees it. Roles are not disguised: some templates make special tokens
   * of them. Nor are marks in what the model itself has said: templates leave its thoughts out.
   */
  #show({ role, content, name }: ChatMessage, disguise: Disguise): Record<string, string> {
    // An older word for the same; templates may refuse roles that they do not know.
    const { special, control } = this.#options.tokenizer;
    const isKnown = role !== "developer" || this.#source.includes(role);
    return {
      role: isKnown ? role : "system",
      content: disguise.putOn(content, role === "assistant" ? special : control),
      ...(name === undefined ? {} : { name: disguise.putOn(name) }),
    };
  }

  #render(
    messages: readonly Record<string, string>[],
    switches: Readonly<Record<string, boolean>>,
  ): string {
    const environment = new Environment();
    const variables = { ...switches, ...this.#variables(messages) };
    for (const [name, value] of Object.entries(variables)) environment.set(name, value);
    return String(new Interpreter(environment).run(this.#template.parsed).value);
  }

  /** What transformers gives to every template. */
  #variables(messages: readonly Record<string, string>[]): Record<string, unknown> {
    return {
      ...GLOBALS,
      strftime_now: (format: string) => strftime(this.#options.now(), format),
      ...this.#options.specialTokens,
      messages,
      tools: null,
      documents: null,
      add_generation_prompt: true,
    };
  }

  #toError(cause: unknown): ChatTemplateError {
    // A refusal may quote the messages; one that is in the template as it is does not.
    const isOwn = cause instanceof Refusal && this.#source.includes(cause.message);
    const reason = isOwn && cause.message !== "" ? `: ${cause.message}` : "";
    return new ChatTemplateError(`The chat template does not take these messages${reason}`, {
      cause,
    });
  }
}

/** Special tokens that templates ask for, whether or not the model has them. */
const NAMED_TOKENS = ["bos_token", "eos_token", "pad_token", "unk_token", "namespace"];

const GLOBALS = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
  range,
  raise_exception: (message: unknown) => {
    throw new Refusal(String(message));
  },
};

/** Python's `range()`. */
function range(first: number, second?: number, step = 1): number[] {
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  const length = Math.max(0, Math.ceil((stop - start) / step));
  return Array.from({ length }, (_, i) => start + i * step);
}
