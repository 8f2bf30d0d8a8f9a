import type { ImuChip, RegisterWrite } from './imu-chip.js';

/*
 * InvenSense MPU-6050, MPU-6500, MPU-9250: one register layout.
 * RM-MPU-6000A-00 (register map of the MPU-6050, revision 4.2), RM-MPU-6500A-00 (2.1), RM-MPU-9250A-00 (1.6).
 * Section numbers are those of RM-MPU-6000A-00.
 */

const SMPLRT_DIV = 0x19; // 4.2
const CONFIG = 0x1a; // 4.3
const GYRO_CONFIG = 0x1b; // 4.4
const ACCEL_CONFIG = 0x1c; // 4.5
/** MPU-6500 and later only: the accelerometer has a filter of its own (RM-MPU-6500A-00, register 29). */
const ACCEL_CONFIG_2 = 0x1d;
const ACCEL_XOUT_H = 0x3b; // 4.17
const PWR_MGMT_1 = 0x6b; // 4.28
const PWR_MGMT_2 = 0x6c; // 4.29
const WHO_AM_I = 0x75; // 4.32

/** FS_SEL and AFS_SEL 3: ±2000 °/s and ±16 g. */
const FULL_SCALE = 0x18;
/** DLPF_CFG 3: 44 Hz, below half of the sample rate. */
const LOW_PASS_44_HZ = 0x03;

const init = (accelFilter: readonly RegisterWrite[]): readonly RegisterWrite[] => [
  // DEVICE_RESET; 100 ms as the register map asks for.
  { register: PWR_MGMT_1, value: 0x80, settleMs: 100 },
  // Wakes it up with the gyroscope as clock; the gyroscope needs 30 ms (PS-MPU-6000A-00, 6.1), the filter some more.
  { register: PWR_MGMT_1, value: 0x01, settleMs: 50 },
  { register: PWR_MGMT_2, value: 0x00 },
  { register: CONFIG, value: LOW_PASS_44_HZ },
  // 1 kHz / (1 + 9) = 100 Hz.
  { register: SMPLRT_DIV, value: 9 },
  { register: GYRO_CONFIG, value: FULL_SCALE },
  { register: ACCEL_CONFIG, value: FULL_SCALE },
  ...accelFilter,
  // Two periods of the low-pass, so that the first sample is one of the new range.
  { register: PWR_MGMT_2, value: 0x00, settleMs: 50 },
];

const family = {
  proof: { register: ACCEL_CONFIG, value: FULL_SCALE },
  // Accelerometer, temperature, gyroscope: 7 words, high byte first (4.17 to 4.19).
  data: {
    register: ACCEL_XOUT_H,
    length: 14,
    isBigEndian: true,
    accel: 0,
    temperature: 6,
    gyro: 8,
  },
} as const;

/** 4.17 and 4.19: 2048 LSB/g at ±16 g, 16.4 LSB/(°/s) at ±2000 °/s; the same in all three. */
const motionScale = { accelLsbPerG: 2048, gyroLsbPerDps: 16.4 } as const;
/** 4.18: °C = reading / 340 + 36.53. */
const scale6050 = { ...motionScale, temperatureLsbPerC: 340, temperatureZeroC: 36.53 } as const;
/** PS-MPU-6500A-01 and PS-MPU-9250A-01, table of the temperature sensor: 333.87 LSB/°C, 0 at 21 °C. */
const scale6500 = { ...motionScale, temperatureLsbPerC: 333.87, temperatureZeroC: 21 } as const;

const accelFilter = [{ register: ACCEL_CONFIG_2, value: LOW_PASS_44_HZ }] as const;

export const mpuChips = {
  'invensense,mpu6050': {
    ...family,
    name: 'MPU-6050',
    whoAmI: { register: WHO_AM_I, accepted: [0x68] },
    init: init([]),
    scale: scale6050,
  },
  'invensense,mpu6500': {
    ...family,
    name: 'MPU-6500',
    whoAmI: { register: WHO_AM_I, accepted: [0x70] },
    init: init(accelFilter),
    scale: scale6500,
  },
  'invensense,mpu9250': {
    ...family,
    name: 'MPU-9250',
    // 0x73 is the MPU-9255, which differs in nothing that is used here.
    whoAmI: { register: WHO_AM_I, accepted: [0x71, 0x73] },
    init: init(accelFilter),
    scale: scale6500,
  },
} as const satisfies Record<string, ImuChip>;
