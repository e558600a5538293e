/** What a generator returns, its stops passed over. */
export async function finish<T>(steps: AsyncGenerator<unknown, T>): Promise<T> {
  while (true) {
    const { value, done } = await steps.next();
    if (done) return value;
  }
}
