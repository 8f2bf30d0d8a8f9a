/**
 * The program, loaded when it is started and not before: whoever calls has settings to make that loading it would come too late for.
 * Resolves with the exit code.
 */
export async function startProgram(argv: readonly string[]): Promise<number> {
  const { runProgram } = await import('./program.js');
  return runProgram(argv);
}
