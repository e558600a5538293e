import { jsonResponse } from "./errors.ts";
import type { Json } from "./openapi/json_schema.ts";
import { openApiDocument } from "./openapi/document.ts";

/** GET: this interface as an OpenAPI 3.1 document. */
export function openApi(software: { readonly version: string }): () => Response {
  // Made when somebody asks, which for most servers is never.
  let document: Json | undefined;
  return () => jsonResponse(document ??= openApiDocument(software));
}
