import { test } from 'vitest'

// Promises that are kept only in part. Each line says what is missing.
test.todo(
  'DESIGN §10: open + issue + end reach 50 % of the floor, also over 150,000 live leases (52 to 58 % before them, 47 to 49 % after)',
)
test.todo(
  'P8: a verdict on a SIGKILL at every await, those of `containment-trial.ts` included: each has been reached, the checks afterwards have not run since',
)
