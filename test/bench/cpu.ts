/**
 * Seconds that all threads of this process have spent on a CPU. On a software adapter, and where
 * other programs run, this is steadier than the clock. Linux only; the clock elsewhere.
 */
export function cpuSeconds(): number {
  try {
    let nanoseconds = 0;
    for (const { name } of Deno.readDirSync("/proc/self/task")) {
      const [running] = Deno.readTextFileSync(`/proc/self/task/${name}/schedstat`).split(" ");
      nanoseconds += Number(running);
    }
    return nanoseconds / 1e9;
  } catch {
    return performance.now() / 1000;
  }
}

/** The middle one of `values`. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
