/** Which records are wanted as log lines, and how they are written down. */
import type { Window } from './window.js'

export type LogFilter = Readonly<{
  window: Window
  /** The last so many of the window; `null`: all. */
  tail: number | null
  /** Syslog's number: this and more severe; `null`: all. */
  loglevel: number | null
  regex: string | null
}>

export type LogForm = Readonly<{ encoding: 'none' | 'gzip'; contentType: 'json' | 'text' }>
