import { z } from "zod";

/** The answer of `/openapi.json`. */
export const Document = z.looseObject({
  openapi: z.string().regex(/^3\.1\./).describe("Version of OpenAPI."),
}).describe("An OpenAPI document.");
