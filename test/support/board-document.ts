/** A JSON value that a test may change. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = Record<string, Json>;

/** The text of a small, complete board: every optional part is there, every part is simulated. */
export function boardDocument(): JsonObject {
  return {
    compatible: 'lapel,test-board',
    model: 'Board of a test',
    gpio: { compatible: 'lapel,sim-gpio', chips: { chip: { lines: 8 } } },
    buttons: {
      record: { chip: 'chip', line: 0, activeLow: true, debounceIntervalMs: 20 },
      function: { chip: 'chip', line: 1 },
    },
    leds: {
      record: { chip: 'chip', line: 2 },
      status: { chip: 'chip', line: 3 },
      fault: { chip: 'chip', line: 4 },
    },
    vibration: { chip: 'chip', line: 5 },
    buzzer: { chip: 'chip', line: 6 },
    dock: { compatible: 'lapel,sim-dock' },
    power: { compatible: 'lapel,sim-power' },
    thermal: { compatible: 'lapel,sim-thermal' },
    imu: { status: 'disabled' },
    gnss: { status: 'disabled' },
    camera: {
      status: 'okay',
      compatible: 'lapel,sim-video',
      source: 'videotestsrc is-live=true',
      width: 640,
      height: 360,
      framesPerSecond: 30,
      format: 'I420',
      encoder: 'x264enc',
      bitrateKbps: 2000,
      gopFrames: 30,
    },
    memory: { preEventBytesMax: 67108864 },
  };
}

/** The document with one value replaced, or left out where `value` is undefined. `path` as in `camera.width`. */
export function withValue(document: JsonObject, path: string, value: Json | undefined): JsonObject {
  const keys = path.split('.');
  const last = keys.pop() ?? '';
  let target: JsonObject = document;
  for (const key of keys) target = target[key] as JsonObject;
  if (value === undefined) {
    // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- the very purpose: a key that is left out
    delete target[last];
  } else {
    target[last] = value;
  }
  return document;
}
