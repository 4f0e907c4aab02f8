/** Every direct method that is answered. */
import { cancelTask } from './cancel-task.js'
import { getEpisodes } from './get-episodes.js'
import { getModuleLogs } from './get-module-logs.js'
import { getStatus } from './get-status.js'
import { getTaskStatus } from './get-task-status.js'
import type { Method } from './method.js'
import { ping } from './ping.js'
import { runDoctor } from './run-doctor.js'
import { uploadModuleLogs } from './upload-module-logs.js'
import { uploadSupportBundle } from './upload-support-bundle.js'

export const methods: readonly Method[] = [
  ping,
  getModuleLogs,
  uploadModuleLogs,
  uploadSupportBundle,
  getTaskStatus,
  cancelTask,
  getStatus,
  getEpisodes,
  runDoctor,
]
