// Makes the one logger of the process: lines for people on a terminal, JSON everywhere else.

import { pino, type Logger } from 'pino'
import pretty from 'pino-pretty'

export type Log = Logger
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

export interface LogOptions {
  level?: LogLevel
  /** Overrides the choice by terminal. */
  format?: 'pretty' | 'json'
  /** Where lines go: standard error, so that a command's own output stays clean. */
  stream?: NodeJS.WritableStream & { isTTY?: boolean }
}

export function createLog({ level = 'info', format, stream = process.stderr }: LogOptions = {}): Log {
  const chosen = format ?? (stream.isTTY ? 'pretty' : 'json')
  const options = { level, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"`, formatters: { level: (label: string) => ({ level: label }) } }
  return chosen === 'json'
    ? pino(options, stream)
    : pino(options, pretty({ destination: stream, colorize: stream.isTTY ?? false, translateTime: 'HH:MM:ss.l', ignore: 'pid,hostname', sync: true }))
}

export const silentLog: Log = pino({ level: 'silent' })
