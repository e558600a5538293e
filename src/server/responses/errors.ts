import { z } from "zod";
import { STATUS } from "../errors.ts";

/** The body of every refusal, and the data of an `error` event. */
export const ErrorAnswer = z.object({
  error: z.object({
    message: z.string().max(1000).describe("What is wrong, for people."),
    type: z.enum([
      "invalid_request_error",
      "authentication_error",
      "permission_error",
      "timeout_error",
      "rate_limit_error",
      "server_error",
      "unavailable_error",
    ]).describe("The kind of error, as OpenAI names them."),
    param: z.string().nullable().describe("Path of the field that is wrong, such as `stop[0]`."),
    code: z.enum(Object.keys(STATUS)).describe("What is wrong, for programs."),
  }).describe("What went wrong."),
}).describe("A refusal or a failure.").meta({
  examples: [{
    error: {
      message: "max_tokens must be an integer from 1 to 1024, got 0",
      type: "invalid_request_error",
      param: "max_tokens",
      code: "invalid_value",
    },
  }],
});
