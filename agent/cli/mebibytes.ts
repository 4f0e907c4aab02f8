/** Sizes of files, for people. */
export const mebibytes = (bytes: number): string => `${(bytes / (1 << 20)).toFixed(1)} MiB`
