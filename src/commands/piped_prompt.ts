import { UsageError } from "./flags.ts";
import type { GenerationOptions } from "./generate_options.ts";
import type { TerminalInput } from "./terminal_input.ts";

/** More than any prompt may have: a million tokens of many bytes each. */
const MAX_BYTES = 1 << 24;

/**
 * Reads the prompt from stdin where the command line says `-`, or nothing and stdin is no terminal.
 * The line feed at its end belongs to the pipe, not to the prompt.
 *
 * @throws {UsageError} If what comes is no UTF-8, or longer than any prompt may be.
 */
export async function withPipedPrompt<Options extends GenerationOptions>(
  options: Options,
  stdin: TerminalInput,
): Promise<Options> {
  const { promptSource, request } = options;
  if (promptSource === "argument" || promptSource === "default" && stdin.isTerminal) return options;
  const prompt = (await readText(stdin)).replace(/\r?\n$/, "");
  return { ...options, request: { ...request, prompt } };
}

async function readText(stdin: TerminalInput): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let text = "";
  let size = 0;
  for await (const chunk of stdin.open()) {
    size += chunk.length;
    if (size > MAX_BYTES) {
      throw new UsageError(
        `Cannot read the prompt from stdin: it is longer than ${MAX_BYTES} bytes; shorten it`,
      );
    }
    text += decode(decoder, chunk);
  }
  return text + decode(decoder, null);
}

function decode(decoder: TextDecoder, chunk: Uint8Array | null): string {
  try {
    return chunk === null ? decoder.decode() : decoder.decode(chunk, { stream: true });
  } catch (cause) {
    throw new UsageError("Cannot read the prompt from stdin: it is no text in UTF-8", { cause });
  }
}
