/**
 * `npm run demo`: the main job, from a task's opening to its last dead credential, on this machine
 * alone. `--json` prints one document and nothing else on stdout; `--stay` keeps everything up;
 * `--delegation` plays 49 agents on four levels instead, ended at their root;
 * `--break NAME` breaks something, to see that the demo notices. Exits 1 if a step did not happen.
 */
import { parseArgs } from 'node:util'
import { BREAKS } from './breaks.ts'

const USAGE = `usage: npm run demo -- [--json | --stay] [--delegation] [--break ${Object.keys(BREAKS).join('|')}]`

const OF_CLOUDS = /^(?:AWS|VAULT|BAO|GOOGLE|GCLOUD|CLOUDSDK|STORAGE_EMULATOR)_/
const OF_PROXIES = /^(?:HTTPS?|ALL)_PROXY$/i

process.exitCode = await main(process.argv.slice(2))

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv)
  if (options === undefined) {
    process.stderr.write(`${USAGE}\n`)
    return 2
  }
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(1)
    throw error
  })
  forgetTheEnvironment()
  // Only now, as the libraries look at the environment when they are loaded.
  const { perform } = await import('./perform.ts')
  return await perform(options)
}

function parseOptions(argv: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        json: { type: 'boolean', default: false },
        stay: { type: 'boolean', default: false },
        delegation: { type: 'boolean', default: false },
        break: { type: 'string', multiple: true, default: [] },
      },
    })
    const known = values.break.every((name) => Object.hasOwn(BREAKS, name))
    if (!known || (values.json && values.stay)) return undefined
    const { json, stay, delegation, break: breaks } = values
    return { json, stay, delegation, breaks }
  } catch {
    return undefined
  }
}

/**
 * Nothing of this machine's clouds takes part: no credentials, endpoints or proxies of its own, and
 * nothing that makes libraries print tokens.
 */
function forgetTheEnvironment(): void {
  for (const name of Object.keys(process.env)) {
    if (OF_CLOUDS.test(name) || OF_PROXIES.test(name) || name === 'DEBUG') delete process.env[name]
  }
  process.env.AWS_CONFIG_FILE = '/dev/null'
  process.env.AWS_SHARED_CREDENTIALS_FILE = '/dev/null'
}
