import type { Logger } from '../../src/log.js';

/** A logger that keeps its messages with their fields, each as one line. */
export class MemoryLogger implements Logger {
  readonly lines: string[] = [];

  debug(fields: Readonly<Record<string, unknown>>, message: string): void {
    this.#keep('debug', fields, message);
  }

  info(fields: Readonly<Record<string, unknown>>, message: string): void {
    this.#keep('info', fields, message);
  }

  warn(fields: Readonly<Record<string, unknown>>, message: string): void {
    this.#keep('warn', fields, message);
  }

  error(fields: Readonly<Record<string, unknown>>, message: string): void {
    this.#keep('error', fields, message);
  }

  child(): Logger {
    return this;
  }

  #keep(level: string, fields: Readonly<Record<string, unknown>>, message: string): void {
    const values = Object.entries(fields).map(([name, value]) => ` ${name}=${String(value)}`);
    this.lines.push(`${level}: ${message}${values.join('')}`);
  }
}
