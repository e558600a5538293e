/**
 * The engine as a library: loads a block diffusion language model, generates and scores texts.
 *
 * @example
 * ```ts
 * import { loadModel } from "./src/mod.ts";
 *
 * const engine = await loadModel("models/tinystories-bd3lm");
 * console.log((await engine.generate("Once upon a time")).text);
 * await engine.close();
 * ```
 *
 * @module
 */
export { Engine, type ModelDescription, type Prompt, type TextScore } from "./library/engine.ts";
export type { GeneratedText, TextBlock, TextEnd } from "./library/events.ts";
export { loadModel, type LoadOptions } from "./library/load_model.ts";
export type { GenerateOptions, ScoreOptions, Strategy } from "./library/options.ts";
export type { ChatMessage } from "./text/chat_template.ts";
