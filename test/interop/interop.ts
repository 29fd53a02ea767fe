import { writeFileSync } from 'node:fs'
import { runMotoInterop } from './moto.interop.ts'
import { runVaultInterop } from './vault.interop.ts'

/** What nobody here wrote: moto, the aws CLI, boto3, a real Vault-compatible server. */
const counts = { passed: 0, failed: 0, skipped: 0 }
for (const run of [runMotoInterop, runVaultInterop]) {
  const { passed, failed, skipped } = await run()
  counts.passed += passed
  counts.failed += failed
  counts.skipped += skipped
}
const { MAYFLY_RESULT_FILE } = process.env
if (MAYFLY_RESULT_FILE) writeFileSync(MAYFLY_RESULT_FILE, JSON.stringify(counts))
process.stdout.write(
  `interop: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`,
)
process.exit(counts.failed > 0 ? 1 : 0)
