import { test } from 'vitest'

// Promises that are kept only in part. Each line says what is missing.
test.todo(
  'DESIGN §10: open + issue + end reach 50 % of the floor, also late in a full run (measured 45 to 55 %)',
)
test.todo(
  'P8: a SIGKILL at every await of the proof of AWS ends (`containment-trial.ts`): the whole sweep has not run since the harness sets `proof`',
)
