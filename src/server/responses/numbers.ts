import { z } from "zod";

/** A number of things. */
export const Count = z.int().min(0);

/** A duration in milliseconds, to a thousandth. */
export const Milliseconds = z.number().min(0);

/** A time in whole seconds since the epoch. */
export const Seconds = z.int().min(0).describe("When it was made, in seconds since the epoch.");

/** The id of a token of a model. */
export const TokenId = z.int().min(0);
