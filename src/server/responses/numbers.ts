import { z } from "zod";
import { LOGPROB_MEANING } from "../token_facts.ts";

/** A number of things. */
export const Count = z.int().min(0);

/** A duration in milliseconds, to a thousandth. */
export const Milliseconds = z.number().min(0);

/** A time in whole seconds since the epoch. */
export const Seconds = z.int().min(0).describe("When it was made, in seconds since the epoch.");

/** The id of a token of a model. */
export const TokenId = z.int().min(0);

/** A share. */
export const Probability = z.number().min(0).max(1);

/** An entropy. */
export const Nats = z.number().min(0);

/** What the model gave a token. */
export const Logprob = z.number().max(0).describe(LOGPROB_MEANING);
