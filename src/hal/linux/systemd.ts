import { execFile } from 'node:child_process';
import type { Cancel, Clock } from '../../clock.js';
import { messageOf } from '../../errors.js';
import type { Logger } from '../../log.js';
import type { ServiceManager } from '../ports/service-manager.js';

/**
 * A notification is done in a few milliseconds. systemd-notify itself waits 5 s for a manager that does not take it;
 * this is a little more, so that its own words about that are heard.
 */
const NOTIFY_MS_MAX = 6_000;
/** What was not delivered is said again after this time, together with what has come up since. */
const RETRY_MS = 1_000;
/** sd_watchdog_enabled(3) asks for half of the limit; a third leaves room for a ping that is lost. */
const PINGS_PER_LIMIT = 3;
/** Longest line for people; `systemctl status` shows one line. */
const STATUS_CHARS_MAX = 200;

/** What sd_notify(3) and sd_watchdog_enabled(3) read of the environment. */
export type ServiceEnvironment = Readonly<Record<string, string | undefined>>;

/**
 * systemd, told by the program systemd-notify, because Node has no datagram sockets of the family AF_UNIX. The unit
 * needs `NotifyAccess=all` for that. At most one such child is alive; what comes up meanwhile goes out together.
 *
 * The pings are timers of the event loop: a loop that hangs sends none, and systemd starts the program again.
 */
export class Systemd implements ServiceManager {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #environment: ServiceEnvironment;
  readonly #pending = new Map<string, string>();
  #sending: Promise<void> | undefined;
  #cancelPings: Cancel | undefined;
  #cancelRetry: Cancel | undefined;
  #isFailing = false;
  #isClosed = false;

  /** `environment` is that of this process; without NOTIFY_SOCKET in it nothing is ever started. */
  constructor(clock: Clock, log: Logger, environment: ServiceEnvironment = process.env) {
    this.#clock = clock;
    this.#log = log;
    this.#environment = environment;
  }

  ready(status: string): void {
    this.#say({ READY: '1', STATUS: oneLine(status) });
    const periodMs = pingPeriodMs(this.#environment, process.pid);
    if (periodMs === undefined || this.#cancelPings !== undefined || this.#isClosed) return;
    this.#cancelPings = this.#clock.every(periodMs, () => {
      this.#say({ WATCHDOG: '1' });
    });
  }

  status(text: string): void {
    this.#say({ STATUS: oneLine(text) });
  }

  stopping(): void {
    this.#say({ STOPPING: '1' });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelPings?.();
    this.#cancelRetry?.();
    // What came up while a child ran starts another one.
    while (this.#sending !== undefined) await this.#sending;
  }

  #say(words: Readonly<Record<string, string>>): void {
    if (this.#isClosed || !isListening(this.#environment)) return;
    for (const [name, value] of Object.entries(words)) this.#pending.set(name, value);
    this.#send();
  }

  #send(): void {
    if (this.#sending !== undefined || this.#pending.size === 0) return;
    const words = new Map(this.#pending);
    this.#pending.clear();
    this.#sending = notify(words, this.#environment).then((fault) => {
      this.#sending = undefined;
      this.#tell(fault);
      if (fault === undefined) this.#send();
      else this.#retry(words);
    });
  }

  /** Newer words of the same name win. A program that is ending has no time for another try. */
  #retry(words: ReadonlyMap<string, string>): void {
    for (const [name, value] of words) {
      if (!this.#pending.has(name)) this.#pending.set(name, value);
    }
    if (this.#isClosed) return;
    this.#cancelRetry?.();
    this.#cancelRetry = this.#clock.after(RETRY_MS, () => {
      this.#send();
    });
  }

  /** Each change once: a manager that does not listen would fill the log. */
  #tell(fault: string | undefined): void {
    const isFailing = fault !== undefined;
    if (isFailing === this.#isFailing) return;
    this.#isFailing = isFailing;
    if (isFailing) this.#log.warn({ error: fault }, 'systemd does not hear of this program');
    else this.#log.info({}, 'systemd hears of this program again');
  }
}

const isListening = ({ NOTIFY_SOCKET: socket }: ServiceEnvironment): boolean =>
  socket !== undefined && socket !== '';

/**
 * Milliseconds between two signs of life, or undefined when none are wanted from this process. The variables are
 * inherited by children, so WATCHDOG_PID says whom they are for.
 */
export function pingPeriodMs(environment: ServiceEnvironment, pid: number): number | undefined {
  const { WATCHDOG_USEC: limit = '', WATCHDOG_PID: whom } = environment;
  if (!/^[1-9]\d{0,14}$/.test(limit)) return undefined;
  if (whom !== undefined && whom !== String(pid)) return undefined;
  return Math.max(1, Math.floor(Number(limit) / 1000 / PINGS_PER_LIMIT));
}

/** A line break would begin another variable of the protocol. */
const oneLine = (text: string): string =>
  text.replaceAll(/\s+/g, ' ').trim().slice(0, STATUS_CHARS_MAX);

/** Delivers all words in one datagram. Resolves with what went wrong, or undefined. */
function notify(
  words: ReadonlyMap<string, string>,
  { NOTIFY_SOCKET, PATH }: ServiceEnvironment,
): Promise<string | undefined> {
  const args = Array.from(words, ([name, value]) => `${name}=${value}`);
  const env = { NOTIFY_SOCKET, PATH, LC_ALL: 'C' };
  const options = { timeout: NOTIFY_MS_MAX, killSignal: 'SIGKILL', env } as const;
  return new Promise((resolve) => {
    execFile('systemd-notify', args, options, (error, _, stderr) => {
      const [row = ''] = stderr.trim().split('\n');
      if (error === null) resolve(undefined);
      else resolve(row === '' ? messageOf(error) : row);
    });
  });
}
