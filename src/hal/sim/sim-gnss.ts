import type { Cancel, Clock } from '../../clock.js';
import type { SimSerial } from './sim-serial.js';

export interface SimGnssOptions {
  /** How often a fix is told; receivers do 1 to 10 a second. */
  readonly periodMs?: number;
}

/** The place the simulated camera is at: the meridian of Greenwich, as NMEA writes it. */
const LATITUDE = '5128.6740,N';
const LONGITUDE = '00000.0000,E';
/** What a receiver without satellites may say all the same: the middle of the Atlantic, five years from now. */
const INVALID_PLACE = '0000.0000,N,03000.0000,W';
const INVALID_AHEAD_MS = 5 * 366 * 86_400_000;
const DAY_MS = 86_400_000;

/**
 * A satellite receiver on a simulated serial line: RMC and GGA each second, with the UTC of the clock given. Give it a
 * clock whose wall time is true, since no jump of the camera's clock moves the satellites.
 */
export class SimGnss {
  readonly #serial: SimSerial;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #cancel: Cancel;
  #hasFix = true;
  #isInvalid = false;
  #isPlugged = false;

  /** Plugged in from the start, with a fix. */
  constructor(
    serial: SimSerial,
    path: string,
    clock: Clock,
    { periodMs = 1_000 }: SimGnssOptions = {},
  ) {
    this.#serial = serial;
    this.#path = path;
    this.#clock = clock;
    this.plug();
    this.#cancel = clock.every(periodMs, () => {
      this.play(this.#sentences());
    });
  }

  plug(): void {
    if (!this.#isPlugged) this.#serial.plug(this.#path);
    this.#isPlugged = true;
  }

  unplug(): void {
    if (this.#isPlugged) this.#serial.unplug(this.#path);
    this.#isPlugged = false;
  }

  get isPlugged(): boolean {
    return this.#isPlugged;
  }

  get hasFix(): boolean {
    return this.#hasFix;
  }

  /** Without a fix the receiver goes on talking and says so, as under a roof. */
  setFix(hasFix: boolean): void {
    this.#hasFix = hasFix;
    this.#isInvalid = false;
  }

  /** Without a fix it counts on from a wrong time at a wrong place, and flags both as invalid. */
  setInvalid(): void {
    this.#hasFix = false;
    this.#isInvalid = true;
  }

  /** Sends lines as they are, each with its line end; nobody hears them while it is unplugged. */
  play(lines: readonly string[]): void {
    if (this.#isPlugged) this.#serial.feed(this.#path, lines.map((line) => `${line}\r\n`).join(''));
  }

  close(): void {
    this.#cancel();
  }

  #sentences(): readonly string[] {
    const { ms } = this.#clock.wallTime();
    if (this.#isInvalid) {
      const { time, date } = utcFields(ms + INVALID_AHEAD_MS);
      return [
        nmea(`GNRMC,${time},V,${INVALID_PLACE},0.00,,${date},,,N`),
        nmea(`GNGGA,${time},${INVALID_PLACE},0,00,99.99,,,,,,`),
      ];
    }
    const { time, date } = utcFields(ms);
    if (!this.#hasFix) {
      return [
        nmea(`GNRMC,${time},V,,,,,,,${date},,,N`),
        nmea(`GNGGA,${time},,,,,0,00,99.99,,,,,,`),
      ];
    }
    return [
      nmea(`GNRMC,${time},A,${LATITUDE},${LONGITUDE},0.02,,${date},,,A`),
      nmea(`GNGGA,${time},${LATITUDE},${LONGITUDE},1,09,0.90,46.0,M,45.0,M,,`),
    ];
  }
}

/** `$`, the text, `*` and its checksum. */
export function nmea(body: string): string {
  let sum = 0;
  for (const character of body) sum ^= character.charCodeAt(0);
  return `$${body}*${sum.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** `hhmmss.ss` and `ddmmyy` in UTC. */
export function utcFields(ms: number): { readonly time: string; readonly date: string } {
  const days = Math.floor(ms / DAY_MS);
  const inDay = ms - days * DAY_MS;
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  const hundredths = two((inDay % 1_000) / 10);
  const time = `${two(inDay / 3_600_000)}${two((inDay / 60_000) % 60)}${two((inDay / 1_000) % 60)}`;
  const { year, month, day } = civilDate(days);
  return { time: `${time}.${hundredths}`, date: `${two(day)}${two(month)}${two(year % 100)}` };
}

/** The date that many days after 1970-01-01. The year is counted from March, so that the leap day is its last. */
function civilDate(days: number): { year: number; month: number; day: number } {
  const sinceMarch0 = days + 719_468;
  const era = Math.floor(sinceMarch0 / 146_097);
  const dayOfEra = sinceMarch0 - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1_460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}
