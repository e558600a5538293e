/** Id of the model in examples: the one that ships. */
export const EXAMPLE_MODEL = "tinystories-bd3lm";

/** Id of a generation in examples. */
export const EXAMPLE_GENERATION = "blk_V2h5IGFyZSB5b3UgaGVyZQ";
