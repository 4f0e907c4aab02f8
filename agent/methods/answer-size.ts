/** IoT Hub takes answers of up to 128 KiB; what is longer is lost without a word. */

export const answerBytesMax = 127_000

/** As it will travel. */
export const bytesOf = (payload: unknown): number => Buffer.byteLength(JSON.stringify(payload) ?? '')
