/** What recovery decided, done to the files; and what may not be on the device, brought there. */
import { codeOf, type Disk, ioError, readPart, writeWhole } from './disk.js'
import type { Files } from './files.js'
import type { Step } from './recovery.js'

export async function carryOut(disk: Disk, files: Files, step: Step): Promise<void> {
  switch (step.action) {
    case 'keep':
      return
    case 'cut': {
      const file = await disk.open(files.path(step.name), 'modify')
      try {
        await file.truncate(step.toBytes)
        await file.datasync()
      } finally {
        await file.close()
      }
      return
    }
    case 'quarantine':
      return files.rename(step.name, step.to)
    case 'delete':
      return files.remove(step.name)
  }
}

/** The file is on the device when this resolves, whatever an earlier sync made of it. */
export async function writeAnew(disk: Disk, files: Files, name: string, bytes: number): Promise<void> {
  try {
    await copyToFreshBlocks(disk, files, name, bytes)
  } catch (error) {
    if (codeOf(error) !== 'ENOSPC') throw error
    await writeOver(disk, files, name, bytes)
  }
}

/** A copy that syncs is on the device, whatever became of the blocks of the original. */
async function copyToFreshBlocks(disk: Disk, files: Files, name: string, bytes: number): Promise<void> {
  const source = await disk.open(files.path(name), 'read')
  let content: Buffer
  try {
    content = await readPart(source, 0, bytes)
  } finally {
    await source.close()
  }
  if (content.length < bytes) throw ioError(`${name} is shorter than it was`)
  await files.writeTemporary(`${name}.tmp`, [content])
  await files.rename(`${name}.tmp`, name)
  await files.syncDirectory()
}

/** Where there is no room for a copy: what is written over itself is on its way to the device once more. */
async function writeOver(disk: Disk, files: Files, name: string, bytes: number): Promise<void> {
  const file = await disk.open(files.path(name), 'modify')
  try {
    const content = await readPart(file, 0, bytes)
    await writeWhole(file, content, content.length, 0)
    await file.datasync()
  } finally {
    await file.close()
  }
}
