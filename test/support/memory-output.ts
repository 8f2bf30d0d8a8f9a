import type { Output } from '../../src/cli/output.js';

/** An output whose two streams are kept as text. */
export interface MemoryOutput extends Output {
  /** What was written to `out` so far. */
  text(): string;
  /** What was written to `err` so far. */
  errors(): string;
}

/** `isTTY` and `columns` hold for both streams. */
export function memoryOutput(
  options: { isJson?: boolean; isTTY?: boolean; columns?: number } = {},
): MemoryOutput {
  const { isJson = false, ...terminal } = options;
  const written = { out: '', err: '' };
  const stream = (name: 'out' | 'err') => ({
    ...terminal,
    write: (text: string) => (written[name] += text),
  });
  return {
    isJson,
    out: stream('out'),
    err: stream('err'),
    text: () => written.out,
    errors: () => written.err,
  };
}
