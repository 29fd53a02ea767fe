import { test } from 'vitest'

// Promises that are kept only in part. Each line says what is missing.
test.todo(
  'DESIGN §10: open + issue + end reach 50 % of the floor, also over 150,000 live leases (52 to 58 % before them, 47 to 49 % after)',
)
