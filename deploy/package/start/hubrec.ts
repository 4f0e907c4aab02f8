/** The command `hubrec` as it is installed. */
import { load } from './loader.js'

declare const mainFile: string

load(mainFile)
