#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';
import { runProgram } from './cli/program.js';

// A tweetnacl signature makes thousands of small typed arrays. When V8 frees them on a second thread, both threads
// contend for malloc and a signature takes 9 ms instead of 3.
setFlagsFromString('--no-concurrent-array-buffer-sweeping');

// Whoever reads our output may leave first; a camera must not stop recording for that.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

process.exitCode = await runProgram(process.argv);
