import type { ImuChip, RegisterWrite } from './imu-chip.js';

/*
 * ST LSM6DS3, LSM6DS3TR-C, LSM6DSO, LSM6DSOX: one layout of the registers used here.
 * DocID026899 (LSM6DS3), DocID030071 (LSM6DS3TR-C), DS12140 (LSM6DSO), DS12814 (LSM6DSOX), each chapter 9, the description of its registers, which
 * goes by register name.
 */

const WHO_AM_I = 0x0f;
const CTRL1_XL = 0x10;
const CTRL2_G = 0x11;
const CTRL3_C = 0x12;
const OUT_TEMP_L = 0x20;

/** ODR_XL 0100: 104 Hz; FS_XL 01: ±16 g. */
const ACCEL_104_HZ_16_G = 0x44;
/** ODR_G 0100: 104 Hz; FS_G 11: ±2000 °/s. */
const GYRO_104_HZ_2000_DPS = 0x4c;
/** BDU: both bytes of a word are of one measurement; IF_INC: the register counts up within a block. */
const BLOCK_UPDATE = 0x44;

const init: readonly RegisterWrite[] = [
  // SW_RESET; it is done within microseconds, the boot of the chip takes 15 ms.
  { register: CTRL3_C, value: 0x01, settleMs: 20 },
  { register: CTRL3_C, value: BLOCK_UPDATE },
  { register: CTRL1_XL, value: ACCEL_104_HZ_16_G },
  // The gyroscope needs up to 80 ms from power-down to its first good sample.
  { register: CTRL2_G, value: GYRO_104_HZ_2000_DPS, settleMs: 100 },
];

const family = {
  init,
  // CTRL1_XL is 0 after power-up: power-down.
  proof: { register: CTRL1_XL, value: ACCEL_104_HZ_16_G },
  // Temperature (0x20), gyroscope (0x22), accelerometer (0x28): 7 words, low byte first.
  data: {
    register: OUT_TEMP_L,
    length: 14,
    isBigEndian: false,
    temperature: 0,
    gyro: 2,
    accel: 8,
  },
} as const;

/** 4.1, mechanical characteristics: 0.488 mg/LSB at ±16 g, 70 mdps/LSB at ±2000 °/s; the same in all four. */
const motionScale = { accelLsbPerG: 1 / 0.000_488, gyroLsbPerDps: 1 / 0.07 } as const;
/** Temperature sensor characteristics in chapter 4: 16 LSB/°C, 0 at 25 °C. */
const scaleDs3 = { ...motionScale, temperatureLsbPerC: 16, temperatureZeroC: 25 } as const;
/** Temperature sensor characteristics in chapter 4: 256 LSB/°C, 0 at 25 °C. */
const scaleDso = { ...motionScale, temperatureLsbPerC: 256, temperatureZeroC: 25 } as const;

export const lsm6Chips = {
  'st,lsm6ds3': {
    ...family,
    name: 'LSM6DS3',
    whoAmI: { register: WHO_AM_I, accepted: [0x69] },
    scale: scaleDs3,
  },
  'st,lsm6ds3tr-c': {
    ...family,
    name: 'LSM6DS3TR-C',
    // Another identity than the LSM6DS3, and the temperature of its successors.
    whoAmI: { register: WHO_AM_I, accepted: [0x6a] },
    scale: scaleDso,
  },
  'st,lsm6dso': {
    ...family,
    name: 'LSM6DSO',
    whoAmI: { register: WHO_AM_I, accepted: [0x6c] },
    scale: scaleDso,
  },
  'st,lsm6dsox': {
    ...family,
    name: 'LSM6DSOX',
    // The same identity as the LSM6DSO.
    whoAmI: { register: WHO_AM_I, accepted: [0x6c] },
    scale: scaleDso,
  },
} as const satisfies Record<string, ImuChip>;
