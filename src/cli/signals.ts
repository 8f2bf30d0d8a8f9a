/** A terminal that goes away (SIGHUP) ends a recording as well as a polite request does. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Resolves at the first of `SIGNALS`. A second one ends the process at once, for whoever does not want to wait
 * for a clean end; recovery then does its work at the next start.
 */
export function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const keepAlive = setInterval(() => undefined, 2 ** 30);
    const first = (signal: NodeJS.Signals): void => {
      clearInterval(keepAlive);
      for (const name of SIGNALS) {
        process.off(name, first);
        process.once(name, () => process.exit(1));
      }
      resolve(signal);
    };
    for (const name of SIGNALS) process.on(name, first);
  });
}
