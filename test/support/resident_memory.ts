/** Bytes of memory that the process `pid` holds, seen from outside. Linux, or where `ps` is. */
export async function residentBytes(pid: number): Promise<number> {
  if (Deno.build.os === "linux") {
    const status = await Deno.readTextFile(`/proc/${pid}/status`);
    return 1024 * Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1]);
  }
  const { stdout } = await new Deno.Command("ps", { args: ["-o", "rss=", "-p", `${pid}`] })
    .output();
  return 1024 * Number(new TextDecoder().decode(stdout));
}
