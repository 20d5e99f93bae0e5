/** The thread that feeds the watchdog: the feeder, on the calls of the kernel. */
import { parentPort, workerData } from 'node:worker_threads'
import { kernel } from './device.ts'
import { serve } from './feeder.ts'

serve(kernel, workerData, (word) => parentPort?.postMessage(word))
