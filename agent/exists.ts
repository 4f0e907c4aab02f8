/** Whether something is there, and whether we may know. */
import { stat } from 'node:fs/promises'

/** @throws what the system says, where it does not say that there is nothing */
export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

export const isMissing = (error: unknown): boolean => hasCode(error, 'ENOENT', 'ENOTDIR')

/** This user may not look. */
export const isForbidden = (error: unknown): boolean => hasCode(error, 'EACCES', 'EPERM')

const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code))
