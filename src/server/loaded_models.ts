import type { Engine } from "../engine/request.ts";
import type { ChatTemplate } from "../text/chat_template.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { RequestError, show, unavailable } from "./errors.ts";

/** A model that can be asked for text. */
export interface LoadedModel {
  readonly engine: Engine;
  readonly tokenizer: Pick<Tokenizer, "encode" | "decode" | "bytes" | "piece">;
  /** Makes prompts of chats; `null` where the model is not made for them. */
  readonly chat: ChatTemplate | null;
}

/** Models in the order of their loading, the default first; a promise while they load. */
export type ModelSource = readonly LoadedModel[] | Promise<readonly LoadedModel[]>;

/** Where the server stands: only `ready` takes new work. */
export type ServerStatus = Engine["status"];

/** The states a model may keep the whole server in, the one that tells most first. */
const BY_WEIGHT: readonly ServerStatus[] = ["draining", "failed", "device_lost", "loading"];

/** The models that this server has, or will have. */
export class LoadedModels {
  readonly #source: Promise<readonly LoadedModel[]>;
  readonly #waits: boolean;
  #models: readonly LoadedModel[] | undefined;
  #hasFailed = false;

  /** @param waits Whether a request that comes while the models load waits for them. */
  constructor(source: ModelSource, { waits }: { readonly waits: boolean }) {
    this.#waits = waits;
    if (source instanceof Promise) {
      this.#source = source;
      source.then((models) => this.#models = models, () => this.#hasFailed = true);
    } else {
      this.#source = Promise.resolve(source);
      this.#models = source;
    }
  }

  /** Where the server stands now. */
  get status(): ServerStatus {
    if (this.#hasFailed) return "failed";
    if (this.#models === undefined) return "loading";
    const states = this.#models.map(({ engine }) => engine.status);
    return BY_WEIGHT.find((each) => states.includes(each)) ?? "ready";
  }

  /** The models that can be asked by now: none while they load. */
  get loaded(): readonly LoadedModel[] {
    return this.#models ?? [];
  }

  /**
   * All models.
   *
   * @throws {RequestError} `model_loading` while they load, `device_lost` if they cannot be loaded.
   */
  async all(): Promise<readonly LoadedModel[]> {
    if (this.#models === undefined && this.#waits) await this.#source.catch(() => {});
    if (this.#models !== undefined) return this.#models;
    throw unavailable(this.#hasFailed ? "device_lost" : "model_loading");
  }

  /**
   * The model with the id `name`, or the default model.
   *
   * @throws {RequestError} `model_not_found`, or those of {@linkcode LoadedModels.all}.
   */
  async find(name: string | undefined): Promise<LoadedModel> {
    const models = await this.all();
    const found = name === undefined
      ? models[0]
      : models.find(({ engine }) => engine.model.id === name);
    if (found !== undefined) return found;
    const message = `The model ${show(name)} does not exist`;
    throw new RequestError("model_not_found", message, { param: "model" });
  }
}

/**
 * Checks that a server or a model in this state takes new work.
 *
 * @throws {RequestError} Why it does not.
 */
export function checkStatus(status: ServerStatus): void {
  switch (status) {
    case "ready":
      return;
    case "loading":
      throw unavailable("model_loading");
    case "failed":
      throw unavailable("device_lost");
    case "draining":
    case "device_lost":
      throw unavailable(status);
  }
}
