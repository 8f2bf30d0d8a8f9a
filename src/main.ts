#!/usr/bin/env node
import { startProgram } from './cli/start.js';
import { tuneV8 } from './tune-v8.js';

// Before the program is loaded: loading alone would let the space for young objects grow.
tuneV8();

// Whoever reads our output may leave first; a camera must not stop recording for that.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

process.exitCode = await startProgram(process.argv);
