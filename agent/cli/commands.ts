/** The commands, each loaded when it is asked for: `status` must not pay for the SDK. */
import type { Command } from './command.js'

export const commands: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import('./run.js')).run,
  setup: async () => (await import('./setup.js')).setup,
  status: async () => (await import('./status.js')).status,
  episodes: async () => (await import('./episodes.js')).episodes,
  logs: async () => (await import('./logs.js')).logs,
  explain: async () => (await import('./explain.js')).explain,
  doctor: async () => (await import('./doctor.js')).doctor,
  mark: async () => (await import('./mark.js')).mark,
  bundle: async () => (await import('./bundle.js')).bundle,
  report: async () => (await import('./report.js')).report,
  scrub: async () => (await import('./scrub.js')).scrub,
  verify: async () => (await import('./verify.js')).verify,
  diagnose: async () => (await import('./diagnose.js')).diagnose,
}
