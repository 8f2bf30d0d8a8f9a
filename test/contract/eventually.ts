import type { ExecutionContext } from 'ava';

/** Real adapters answer in milliseconds; a loaded machine may take a thousand times as long. */
const DEADLINE_MS = 5_000;
const POLL_MS = 2;

/** Waits until `condition` holds; fails the test when it does not in 5 s. Simulated adapters never make it wait. */
export async function eventually(
  t: ExecutionContext,
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) {
      t.fail(`did not happen in ${DEADLINE_MS} ms: ${what}`);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  t.pass();
}
