/** Runs `use` with a fresh directory, and removes it with all that is in it. */
export function withTempDir<T>(use: (directory: string) => T): T {
  const directory = Deno.makeTempDirSync({ prefix: "blockdiffusion-" });
  try {
    return use(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}
