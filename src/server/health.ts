import { jsonResponse, RequestError } from "./errors.ts";
import { checkStatus, type LoadedModels } from "./loaded_models.ts";

/** GET: answers as long as the process serves HTTP. */
export function health(): Response {
  return jsonResponse({ status: "ok" });
}

/** GET: whether new work would be taken now. */
export function ready(models: LoadedModels): () => Response {
  return () => {
    const { status } = models;
    try {
      checkStatus(status);
      return jsonResponse({ status });
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      return jsonResponse({ status, ...error.body() }, error);
    }
  };
}
