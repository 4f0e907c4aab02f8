/** The thread in which regular expressions from outside run: one that never ends is ended with it. */
import { parentPort } from 'node:worker_threads'
import type { PatternAnswer, PatternQuestion } from './pattern.js'

parentPort?.on('message', ({ pattern, flags, texts }: PatternQuestion) => {
  const expression = new RegExp(pattern, flags)
  const answer: PatternAnswer = texts.map(text => expression.test(text))
  parentPort?.postMessage(answer)
})
parentPort?.postMessage('ready')
