import { TextStream } from "../text/text_stream.ts";
import type { LoadedModel } from "./loaded_models.ts";

/** A state of a text that is not finished. */
export interface Draft {
  /** The whole text so far, a {@linkcode MASK} for each token that is not known yet. */
  readonly text: string;
  /** Share of the tokens asked for that are known, 0 to 1; never falls. */
  readonly progress: number;
}

/** Stands for a token that is not known yet. */
export const MASK = "\u2591";

/** Follows one choice from step to step. */
export class Drafts {
  readonly #tokenizer: LoadedModel["tokenizer"];
  readonly #maxTokens: number;
  /** Of finished blocks. */
  #text = "";
  #tokens = 0;
  #progress = 0;

  constructor(
    { tokenizer }: Pick<LoadedModel, "tokenizer">,
    { maxTokens }: { readonly maxTokens: number },
  ) {
    this.#tokenizer = tokenizer;
    this.#maxTokens = maxTokens;
  }

  /** The text of all finished blocks. */
  get text(): string {
    return this.#text;
  }

  /** The draft after a step that left the block with these tokens, `null` where masked. */
  step(tokens: readonly (number | null)[]): Draft {
    const known = tokens.filter((token) => token !== null).length;
    return this.#draft(this.#text + this.#show(tokens), this.#tokens + known);
  }

  /** The draft after a block that has finished. */
  block({ text, tokens }: { readonly text: string; readonly tokens: readonly number[] }): Draft {
    this.#text += text;
    this.#tokens += tokens.length;
    return this.#draft(this.#text, this.#tokens);
  }

  /** The draft that is the text. */
  end(): Draft {
    return this.#draft(this.#text, this.#maxTokens);
  }

  /** A text may end before what was drafted of it: then it has fewer tokens than were known. */
  #draft(text: string, known: number): Draft {
    const progress = Math.min(1, Math.round(10_000 * known / this.#maxTokens) / 10_000);
    this.#progress = Math.max(this.#progress, progress);
    return { text, progress: this.#progress };
  }

  /** Neighbours are shown together, since a character may be in several tokens. */
  #show(tokens: readonly (number | null)[]): string {
    const runs: number[][] = [[]];
    for (const token of tokens) {
      if (token === null) runs.push([]);
      else runs.at(-1)!.push(token); // There is always a run.
    }
    return runs.map((run) => {
      const stream = new TextStream(this.#tokenizer, { stop: [] });
      return stream.push(run).text + stream.end();
    }).join(MASK);
  }
}
