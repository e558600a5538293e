/** A file for `--api-key-file`, gone with its scope. */
export class KeyFile implements Disposable {
  readonly path: string;

  constructor(text: string) {
    this.path = Deno.makeTempFileSync({ prefix: "blockdiffusion-" });
    Deno.writeTextFileSync(this.path, text);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path);
  }
}
