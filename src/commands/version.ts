import manifest from "../../deno.json" with { type: "json" };

/** Version of this software. */
export const VERSION: string = manifest.version;
