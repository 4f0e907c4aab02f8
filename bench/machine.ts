/** What it was measured on: a ratio travels better than a time, but not everywhere. */
import { execFileSync } from 'node:child_process'
import { cpus, release, totalmem, type } from 'node:os'

export type Machine = Readonly<{
  node: string
  processor: string
  cores: number
  memoryGiB: number
  kernel: string
  /** Of the directory where it was measured. */
  fileSystem: string
}>

export function machineOf(dir: string): Machine {
  const all = cpus()
  return {
    node: process.version,
    processor: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${type()} ${release()}`,
    fileSystem: fileSystemOf(dir),
  }
}

function fileSystemOf(dir: string): string {
  try {
    return execFileSync('findmnt', ['--noheadings', '--output', 'FSTYPE', '--target', dir], { encoding: 'utf8' }).trim()
  } catch {
    return 'unknown'
  }
}
