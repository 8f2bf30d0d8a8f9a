import { z } from 'zod';
import { wholeNumber } from '../config/whole-number.js';
import { AXES } from './drivers/posture.js';

/** Longest pipeline fragment of a board: a few elements with their caps. */
const SOURCE_LENGTH_MAX = 1024;
/** Most lines of one gpiochip; the RP1 of a Raspberry Pi 5 has 54. */
const LINES_MAX = 1024;
/** A name as in gpio-line-names of devicetree; never digits alone, which would look like an offset. */
const LINE_NAME_PATTERN = /^[A-Za-z_][\w.+ -]{0,31}$/;
/** Name of a power supply or a network interface: one path component of sysfs. */
const SYSFS_NAME_PATTERN = /^[A-Za-z0-9][\w.@:-]{0,31}$/;
/** The devicetree form: who makes it, then what it is. */
const COMPATIBLE_PATTERN = /^[a-z0-9][a-z0-9.-]*,[a-z0-9][a-z0-9.-]*$/;

const compatible = z
  .string()
  .regex(COMPATIBLE_PATTERN, { error: 'must be vendor,device in lower case' })
  .meta({ description: 'Vendor and device, as in devicetree; picks the driver.' });

const adapter = <const Names extends readonly [string, ...string[]]>(names: Names) =>
  z.enum(names).meta({ description: 'Which adapter or driver serves this part.' });

const line = z.strictObject({
  chip: z
    .string()
    .min(1)
    .max(64)
    .meta({ description: 'Label of the gpiochip, a key of gpio.chips.' }),
  line: z
    .union([wholeNumber(0, LINES_MAX - 1, ''), z.string().regex(LINE_NAME_PATTERN)], {
      error: `must be an offset of 0 to ${LINES_MAX - 1} or the name of a line`,
    })
    .meta({ description: 'Offset of the line in its chip, or the name the kernel gives it.' }),
  activeLow: z
    .boolean()
    .default(false)
    .meta({ description: 'True when the electrical low level means active.' }),
});

/** A light or a motor, and the input that feels it where one is wired to it. */
const output = line.extend({
  readBack: line.optional().meta({
    description: 'Input wired to this output, where there is one: lapel doctor reads it back.',
  }),
});

const button = line.extend({
  // 30 ms is what Zephyr's gpio-keys binding defaults to; above 100 ms a quick second press would be lost.
  debounceIntervalMs: wholeNumber(1, 100, 'ms')
    .default(30)
    .meta({ description: 'How long the contact must be quiet before another edge counts.' }),
});

/** A picture side: even, because colour has half the resolution. */
const side = (max: number): z.ZodInt =>
  wholeNumber(16, max, 'pixels').multipleOf(2, { error: 'must be even' });

const source = z
  .string()
  .min(1)
  .max(SOURCE_LENGTH_MAX)
  .refine((text) => !/[\r\n]/.test(text), { error: 'must be one line' })
  .refine((text) => placeholdersOf(text).every((name) => name === 'footage'), {
    error: 'the only placeholder is ${footage}',
  });

/** The names in `${…}` of a camera source. */
const placeholdersOf = (text: string): string[] =>
  [...text.matchAll(/\$\{([^}]*)\}/g)].map(([, name = '']) => name);

const cameraKeys = z.strictObject({
  status: z
    .literal('okay', { error: 'must be "okay": without its camera there is nothing to run' })
    .meta({ description: 'A camera board has a camera.' }),
  compatible: adapter(['gstreamer', 'lapel,sim-video']),
  source: source.meta({
    description:
      'GStreamer launch fragment that ends in raw video; ${footage} stands for the footage directory.',
  }),
  width: side(3840).meta({ description: 'Picture width; even.' }),
  height: side(2160).meta({ description: 'Picture height; even.' }),
  framesPerSecond: wholeNumber(5, 60, 'frames a second').meta({ description: 'Frame rate.' }),
  format: z.enum(['I420', 'NV12']).meta({
    description: 'Raw format pinned before the encoder; anything else may become High 4:4:4.',
  }),
  encoder: z
    .enum(['x264enc', 'openh264enc', 'v4l2h264enc'])
    .meta({ description: 'H.264 encoder: two in software, or the one of Raspberry Pi up to 4.' }),
  // 25 Mbit/s is the most that the encoder of bcm2835-codec takes.
  bitrateKbps: wholeNumber(100, 25_000, 'kbit/s').meta({ description: 'Bit rate of the encoder.' }),
  gopFrames: wholeNumber(2, 60, 'frames').meta({
    description: 'Frames from one IDR to the next; at most one second of them.',
  }),
  threads: wholeNumber(1, 16, 'threads')
    .optional()
    .meta({ description: 'Threads of x264enc; left out, it chooses.' }),
});

const camera = cameraKeys.superRefine((value, context) => {
  const fault = (key: string, message: string): void => {
    context.addIssue({ code: 'custom', path: [key], message });
  };
  if (value.gopFrames > value.framesPerSecond) {
    fault('gopFrames', 'must be at most one second, since a GOP is what a power cut may cost');
  }
  if (value.threads !== undefined && value.encoder !== 'x264enc') {
    fault('threads', 'is only for x264enc');
  }
});

/** A part in use needs all its keys but the `spare` ones; a disabled part keeps what is known about it. */
const complete = <Shape extends z.core.$ZodShape>(
  keys: z.ZodObject<Shape, z.core.$strict>,
  spare: readonly string[] = [],
): z.ZodObject<Shape, z.core.$strict> =>
  keys.superRefine((value: Readonly<Record<string, unknown>>, context) => {
    if (value['status'] === 'disabled') return;
    for (const key of Object.keys(keys.shape)) {
      if (value[key] !== undefined || spare.includes(key)) continue;
      context.addIssue({ code: 'custom', path: [key], message: 'is missing, the part is in use' });
    }
  });

const bus = wholeNumber(0, 255, '').meta({ description: 'Number of the I2C bus.' });
// 0x08 to 0x77: the addresses outside are reserved by the I2C specification (UM10204, 3.1.12).
const address = wholeNumber(0x08, 0x77, '').meta({
  description: 'I2C address, 7 bits, right-aligned.',
});

const imuKeys = z.strictObject({
  status: z.enum(['okay', 'disabled']).meta({ description: 'Whether the board has it.' }),
  compatible: adapter([
    'invensense,mpu6050',
    'invensense,mpu6500',
    'invensense,mpu9250',
    'st,lsm6ds3',
    'st,lsm6ds3tr-c',
    'st,lsm6dso',
    'st,lsm6dsox',
  ]).optional(),
  bus: bus.optional(),
  address: address.optional(),
  up: z.enum(AXES).optional().meta({
    description:
      'Axis of the chip that points up in an upright camera; left out, it decides about no rotation.',
  }),
});

const gnssKeys = z.strictObject({
  status: z.enum(['okay', 'disabled']).meta({ description: 'Whether the board has it.' }),
  compatible: adapter(['nmea,0183']).optional(),
  path: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .meta({ description: 'Device file of the serial line.' }),
  baudRate: wholeNumber(1200, 921_600, 'baud')
    .optional()
    .meta({ description: 'Speed of the line.' }),
});

const sysfsName = z.string().regex(SYSFS_NAME_PATTERN, { error: 'must be a name in sysfs' });

const power = z.discriminatedUnion('compatible', [
  z.strictObject({ compatible: z.literal('lapel,sim-power') }),
  z.strictObject({ compatible: z.literal('linux,power-supply'), supply: sysfsName }),
  z.strictObject({ compatible: z.literal('maxim,max17048'), bus, address }),
]);

/** The longest name that the kernel gives a thermal zone (THERMAL_NAME_LENGTH). */
const ZONE_TYPE = /^[\x21-\x7e](?:[\x20-\x7e]{0,18}[\x21-\x7e])?$/;

/**
 * Raspberry Pi slows its cores from 80 °C on and everything from 85 °C on (Raspberry Pi documentation, "Frequency management
 * and thermal control"): above that an encoder no longer keeps up, and below 75 °C nothing is slowed.
 */
const heatLimits = {
  limitC: wholeNumber(40, 110, '°C').default(85).meta({
    description: 'From here on, seen twice in a row, a recording ends well and none begins.',
  }),
  clearC: wholeNumber(20, 105, '°C')
    .default(75)
    .meta({ description: 'At this or less one may begin again; below limitC.' }),
};

const thermal = z.discriminatedUnion('compatible', [
  z.strictObject({ compatible: z.literal('lapel,sim-thermal'), ...heatLimits }),
  z.strictObject({
    compatible: z.literal('linux,thermal-zone'),
    type: z.string().regex(ZONE_TYPE, { error: 'must be the type of a thermal zone' }).meta({
      description: 'What /sys/class/thermal/thermal_zone*/type says.',
    }),
    ...heatLimits,
  }),
]);

/** What hears: audio from it runs by the clock of the pipeline and is encoded to AAC. */
const microphone = z.strictObject({
  status: z.enum(['okay', 'disabled']).meta({ description: 'Whether the board has it.' }),
  compatible: adapter(['gstreamer']),
  source: source.meta({
    description:
      'GStreamer launch fragment of a live source that ends in raw audio; none of its elements may be one of camera.source.',
  }),
});

/** The keys that say which line is what; they are checked against each other even where the rest is at fault. */
const wiring = {
  gpio: z.strictObject({
    compatible: adapter(['lapel,sim-gpio', 'linux,gpio']),
    chips: z
      .record(
        z.string().min(1).max(64),
        z.strictObject({
          lines: wholeNumber(1, LINES_MAX, 'lines').meta({ description: 'How many lines it has.' }),
        }),
      )
      .meta({
        description: 'The gpiochips in use, by label: the numbers differ from kernel to kernel.',
      }),
  }),
  buttons: z.strictObject({
    record: button.meta({ description: 'Starts, marks, stops.' }),
    function: button.optional().meta({ description: 'The second button, where there is one.' }),
  }),
  leds: z.strictObject({
    record: output.meta({ description: 'Red: footage becomes durable.' }),
    status: output.meta({ description: 'Green: ready, buffering.' }),
    fault: output
      .optional()
      .meta({ description: 'Amber: fault; without it the status light tells.' }),
  }),
  vibration: output.optional().meta({ description: 'Vibration motor.' }),
  buzzer: output
    .optional()
    .meta({ description: 'Buzzer that sounds for as long as its line is active.' }),
  dock: z
    .discriminatedUnion('compatible', [
      z.strictObject({ compatible: z.literal('lapel,sim-dock') }),
      button.extend({ compatible: z.literal('gpio-dock') }),
      z.strictObject({ compatible: z.literal('linux,power-supply-dock'), supply: sysfsName }),
      z.strictObject({ compatible: z.literal('linux,network-dock'), interface: sysfsName }),
    ])
    .meta({ description: 'How the camera knows that it is docked.' }),
};
export const wiringSchema = z.object(wiring);

export const boardSchema = z.strictObject({
  $schema: z.string().optional().meta({ description: 'For editors; not read.' }),
  compatible: compatible.meta({ description: 'Vendor and board.' }),
  model: z.string().min(1).max(80).meta({ description: 'What people call it.' }),
  ...wiring,
  power: power.optional().meta({ description: 'The gauge of the battery, where there is one.' }),
  thermal: thermal
    .optional()
    .meta({ description: 'The temperature of the processor, where it can be read.' }),
  i2c: z
    .strictObject({ compatible: adapter(['lapel,sim-i2c', 'linux,i2c']) })
    .optional()
    .meta({ description: 'The I2C buses; needed when a part is on one.' }),
  serial: z
    .strictObject({ compatible: adapter(['lapel,sim-serial', 'linux,serial']) })
    .optional()
    .meta({ description: 'The serial lines; needed when a part is on one.' }),
  imu: complete(imuKeys, ['up']),
  gnss: complete(gnssKeys),
  camera,
  microphone: microphone
    .optional()
    .meta({ description: 'The microphone, where there is one; pictures are recorded without it.' }),
  memory: z.strictObject({
    preEventBytesMax: wholeNumber(1 << 20, 1 << 29, 'bytes').meta({
      description:
        'Most memory the pre-event buffer may take; it holds less video rather than more.',
    }),
  }),
});

/** A checked board file, defaults filled. */
export type BoardFile = z.infer<typeof boardSchema>;

/** The lines of a board and their roles. */
export type Wiring = z.infer<typeof wiringSchema>;

/** What capture is told about the camera of a board. */
export type CameraSpec = BoardFile['camera'];

/** What capture is told about the microphone of a board. */
export type MicrophoneSpec = NonNullable<BoardFile['microphone']>;

/** JSON Schema (draft 2020-12) of a board file as it is written; `board/board.schema.json` holds it. */
export function boardJsonSchema(): Record<string, unknown> {
  return { ...z.toJSONSchema(boardSchema, { io: 'input' }), title: 'Lapel board file' };
}
