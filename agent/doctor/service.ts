/** The unit of systemd, as it lies on this host. */
import { exists } from '../exists.js'

export const unitFiles = ['/etc/systemd/system/hubrec.service', '/lib/systemd/system/hubrec.service']

export const isServiceHere = async (): Promise<boolean> => (await Promise.all(unitFiles.map(exists))).includes(true)
