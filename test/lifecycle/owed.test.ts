import { test } from 'vitest'

// Promises that are kept only in part. Each line says what is missing.
test.todo(
  'DESIGN §10: open + issue + end reach 50 % of the floor, also late in a full run (measured 45 to 55 %)',
)
test.todo(
  'P8: a broker that is killed hundreds of times in a quarter of an hour leaves room for kills on its AWS roles: what its predecessors wrote is merged sooner',
)
