// The tests that need the hardware of a camera, or a rig that pretends it. Run by test/rig/run-host.sh; `npm test` does both.
export default {
  typescript: { rewritePaths: { 'test/': 'build/test/' }, compile: false },
  files: ['test/rig/**/*.test.ts'],
  workerThreads: false,
  // One rig for all: a test that takes the chip away must not do it to another.
  concurrency: 1,
  // A thousand presses take two minutes, in which no test ends.
  timeout: '6m',
};
