/**
 * The service that every contender brings back. The one of the demonstration is a Node.js program:
 * its start, two tenths of a second, would be the greater part of what is measured.
 */
import { fileURLToPath } from 'node:url'

export const webServer: readonly string[] = [
  '/usr/bin/perl',
  fileURLToPath(new URL('web.pl', import.meta.url)),
  '8080',
]
