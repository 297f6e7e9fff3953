// All questions: a new one is one file and one line here.
import { chunksQuestion } from './chunks.js'
import { dialogQuestion } from './dialog.js'
import { exportQuestion } from './export.js'
import { findQuestion } from './find.js'
import { heapPagesQuestion } from './heap-pages.js'
import type { Question } from './question.js'
import { refreshQuestion } from './refresh.js'
import { stacksQuestion } from './stacks.js'
import { symbolsQuestion } from './symbols.js'

export const QUESTIONS: readonly Question[] = [
  refreshQuestion,
  symbolsQuestion,
  stacksQuestion,
  chunksQuestion,
  heapPagesQuestion,
  findQuestion,
  dialogQuestion,
  exportQuestion,
]
