// Tests that hold real processes to real times: what a kill may cost, how soon pictures are back, an upload that goes on,
// how much twelve seconds of a demo hold, a fall that is over in half a second, what random presses get, a clock that is
// stepped. One file at a time, because another file beside them would measure the machine and not the camera. `npm test`
// runs them after the others.

export default {
  typescript: { rewritePaths: { 'test/': 'build/test/' }, compile: false },
  files: [
    'test/contract/mqtt-connection.test.ts',
    'test/crash/kill-*.test.ts',
    'test/integration/capture/recording.test.ts',
    'test/integration/capture/audio.test.ts',
    'test/integration/capture/frame-time.test.ts',
    'test/integration/capture/presses.test.ts',
    'test/integration/camera/clock-steps.test.ts',
    'test/integration/sync/peer-latency.test.ts',
    'test/end-to-end/broker.test.ts',
    'test/end-to-end/demo.test.ts',
    'test/end-to-end/parts.test.ts',
    'test/end-to-end/service.test.ts',
    'test/end-to-end/worn.test.ts',
    'test/tamper/second-opinion.test.ts',
  ],
  workerThreads: false,
  concurrency: 1,
  timeout: '5m',
};
