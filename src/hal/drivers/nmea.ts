import { GPS } from 'gps';
import type { GGA, GNS, GSA, RMC } from 'gps';
import { wallTimeMs } from '../../units.js';
import type { WallTimeMs } from '../../units.js';

/** A date outside is that of a receiver that counts its weeks wrong, or of one without a fix. */
const YEAR_MIN = 2024;
const YEAR_MAX = 2099;

export interface RmcFact {
  readonly type: 'RMC';
  readonly utcMs: WallTimeMs;
  /** Degrees, north positive. */
  readonly latitude: number;
  /** Degrees, east positive. */
  readonly longitude: number;
  readonly speedMps: number | undefined;
  /** Over ground, from true north, clockwise. */
  readonly courseDeg: number | undefined;
}

/** From GGA or GNS. */
export interface QualityFact {
  readonly type: 'quality';
  readonly satellites: number | undefined;
  readonly hdop: number | undefined;
  readonly altitudeM: number | undefined;
}

/** From GSA. */
export interface DimensionFact {
  readonly type: 'dimension';
  readonly dimension: '2D' | '3D';
}

/** The receiver says, in a sentence of this type, that it has no fix by satellites. */
export interface NoFixFact {
  readonly type: 'no-fix';
  readonly from: 'RMC' | 'quality' | 'dimension';
}

export type NmeaFact = RmcFact | QualityFact | DimensionFact | NoFixFact;

/** `other`: a sentence that nobody here needs. `refused`: one that is needed, but says what cannot be. */
export type NmeaVerdict =
  | { readonly kind: 'bad-checksum' | 'other' | 'refused' }
  | { readonly kind: 'fact'; readonly fact: NmeaFact };

const BAD_CHECKSUM = { kind: 'bad-checksum' } as const;
const OTHER = { kind: 'other' } as const;
const REFUSED = { kind: 'refused' } as const;

/** Talkers: GPS, several systems at once, GLONASS, Galileo, BeiDou. */
const HEAD = /^\$(?:GP|GN|GL|GA|GB)(RMC|GGA|GSA|GNS),/;
const TIME = /^(?:[01]\d|2[0-3])[0-5]\d[0-5]\d(?:\.\d{1,6})?$/;
const DATE = /^\d{6}$/;
const LATITUDE = /^\d{2}[0-5]\d(?:\.\d{1,8})?$/;
const LONGITUDE = /^\d{3}[0-5]\d(?:\.\d{1,8})?$/;
const NUMBER = /^(?:-?\d{1,6}(?:\.\d{1,6})?)?$/;
const FAA_MODE = /^[ADEFMNPRS]?$/;
const GNS_MODES = /^[ADEFMNPRS]{1,8}$/;
/** FAA modes of a position that satellites gave: not estimated, not typed in, not simulated. */
const SATELLITE_MODE = /[ADPRF]/;

/**
 * What a line of `NmeaSplitter` says. Never throws.
 *
 * The library (gps 0.9.0) converts, but it does not judge: it hands out sentences whose checksum is wrong, takes hour 29
 * and 31 February and rolls them over, takes a hemisphere for granted, reads numbers up to their first odd character,
 * throws at unknown words, and looks the type up among the methods of every object. So it sees only lines whose
 * checksum is right and whose fields have the form of NMEA 0183, and what it returns is checked against them.
 */
export function readSentence(line: string): NmeaVerdict {
  if (!hasRightChecksum(line)) return BAD_CHECKSUM;
  if (!HEAD.test(line)) return OTHER;
  const fields = line.slice(0, -3).split(',');
  try {
    const parsed = GPS.Parse(line);
    const fact = parsed === false ? undefined : factOf(parsed, fields);
    return fact === undefined ? REFUSED : { kind: 'fact', fact };
  } catch {
    // The library throws for a number of fields or a word that it does not know.
    return REFUSED;
  }
}

/** NMEA 0183, 5.3.2: two hexadecimal digits, the XOR of what is between `$` and `*`. Compulsory here. */
export function hasRightChecksum(line: string): boolean {
  const star = line.length - 3;
  if (star < 1 || !line.startsWith('$') || line[star] !== '*') return false;
  const digits = line.slice(star + 1);
  if (!/^[\dA-Fa-f]{2}$/.test(digits)) return false;
  return checksumOf(line.slice(1, star)) === parseInt(digits, 16);
}

/** The XOR of all characters. */
export function checksumOf(body: string): number {
  let sum = 0;
  for (let index = 0; index < body.length; index += 1) sum ^= body.charCodeAt(index);
  return sum;
}

function factOf(
  parsed: Exclude<ReturnType<typeof GPS.Parse>, false>,
  fields: readonly string[],
): NmeaFact | undefined {
  switch (parsed.type) {
    case 'RMC':
      return rmcFact(parsed, fields);
    case 'GGA':
      return ggaFact(parsed, fields);
    case 'GNS':
      return gnsFact(parsed, fields);
    case 'GSA':
      return gsaFact(parsed, fields);
    default:
      return undefined;
  }
}

function rmcFact(rmc: RMC, fields: readonly string[]): RmcFact | NoFixFact | undefined {
  const [, time = '', , , , , , knots = '', course = '', date = '', , , mode = ''] = fields;
  if (!FAA_MODE.test(mode)) return undefined;
  if (rmc.status !== 'active' || (mode !== '' && !SATELLITE_MODE.test(mode))) {
    return { type: 'no-fix', from: 'RMC' };
  }
  if (!TIME.test(time) || !DATE.test(date) || !NUMBER.test(knots) || !NUMBER.test(course)) {
    return undefined;
  }
  const position = positionOf(rmc, fields.slice(3, 7));
  if (position === undefined || rmc.time === null || !isDate(rmc.time, date)) return undefined;
  const speed = notNull(rmc.speed);
  const track = notNull(rmc.track);
  if ((speed ?? 0) < 0 || (track ?? 0) < 0 || (track ?? 0) > 360) return undefined;
  return {
    type: 'RMC',
    utcMs: wallTimeMs(rmc.time.getTime()),
    ...position,
    speedMps: speed === undefined ? undefined : speed / 3.6,
    courseDeg: track,
  };
}

function ggaFact(gga: GGA, fields: readonly string[]): QualityFact | NoFixFact | undefined {
  const quality = fields[6] ?? '';
  if (!/^[0-8]?$/.test(quality)) return undefined;
  // 1 to 5: by satellites. 6 to 8: estimated, typed in, simulated.
  if (!/^[1-5]$/.test(quality)) return { type: 'no-fix', from: 'quality' };
  if (![7, 8, 9].every((index) => NUMBER.test(fields[index] ?? ''))) return undefined;
  if (!TIME.test(fields[1] ?? '') || positionOf(gga, fields.slice(2, 6)) === undefined) {
    return undefined;
  }
  return qualityOf(gga.satellites, gga.hdop, gga.alt);
}

function gnsFact(gns: GNS, fields: readonly string[]): QualityFact | NoFixFact | undefined {
  if (!GNS_MODES.test(gns.mode)) return undefined;
  if (!SATELLITE_MODE.test(gns.mode)) return { type: 'no-fix', from: 'quality' };
  if (![7, 8, 9].every((index) => NUMBER.test(fields[index] ?? ''))) return undefined;
  if (!TIME.test(fields[1] ?? '') || positionOf(gns, fields.slice(2, 6)) === undefined) {
    return undefined;
  }
  return qualityOf(gns.satsUsed, gns.hdop, gns.alt);
}

function gsaFact(gsa: GSA, fields: readonly string[]): DimensionFact | NoFixFact | undefined {
  if (!/^[1-3]$/.test(fields[2] ?? '')) return undefined;
  return gsa.fix === null
    ? { type: 'no-fix', from: 'dimension' }
    : { type: 'dimension', dimension: gsa.fix };
}

function qualityOf(
  satellites: number | null,
  hdop: number | null,
  altitude: number | null,
): QualityFact {
  return {
    type: 'quality',
    satellites: notNull(satellites),
    hdop: notNull(hdop),
    altitudeM: notNull(altitude),
  };
}

/** The position when its four fields have the right form and it is on earth. */
function positionOf(
  { lat, lon }: { readonly lat: number | null; readonly lon: number | null },
  [latitude = '', north = '', longitude = '', east = '']: readonly string[],
): { readonly latitude: number; readonly longitude: number } | undefined {
  if (!LATITUDE.test(latitude) || !LONGITUDE.test(longitude)) return undefined;
  if (!/^[NS]$/.test(north) || !/^[EW]$/.test(east)) return undefined;
  if (lat === null || lon === null || Math.abs(lat) > 90 || Math.abs(lon) > 180) return undefined;
  return { latitude: lat, longitude: lon };
}

/**
 * Whether the moment is of that `ddmmyy`, with no day rolled over, and of a year that can be. The library reads the
 * years 73 to 99 as those of the last century: they are refused with it.
 */
function isDate(moment: Date, ddmmyy: string): boolean {
  const year = moment.getUTCFullYear();
  return (
    year >= YEAR_MIN &&
    year <= YEAR_MAX &&
    moment.getUTCDate() === Number(ddmmyy.slice(0, 2)) &&
    moment.getUTCMonth() + 1 === Number(ddmmyy.slice(2, 4))
  );
}

const notNull = (value: number | null): number | undefined => value ?? undefined;
