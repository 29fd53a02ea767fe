import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { awsSts } from '../../../providers/aws-sts/index.ts'
import type { Clock } from '../../../src/clock.ts'
import { newId, upstreamName } from '../../../src/ids.ts'
import type { IntentItem } from '../../../src/model/intent.ts'
import { SKEW_MS } from '../../../src/model/lifetime.ts'
import type { UpstreamWriter } from '../../../src/model/upstream-writer.ts'
import type { EndOrder, Minted, MintOrder, Provider } from '../../../src/provider.ts'
import { Secret } from '../../../src/secret.ts'
import { idSource } from '../../fixture/ids.ts'
import { writerOf } from '../../fixture/writer.ts'
import { type AwsKeys, type AwsSandbox, startAwsSandbox } from '../../sandbox/aws/index.ts'
import { Ledger } from '../../sandbox/ledger.ts'

export const INSTALLATION = 'acme'
export const ROLE = 'agent-tickets'
export const READ_TICKETS: readonly IntentItem[] = [
  { type: 'aws', actions: ['s3:GetObject'], locations: ['arn:aws:s3:::tickets/*'] },
]

/** A sandbox with one role and one object, and a clock for both sides that a test can move. */
export class AwsBench {
  readonly sandbox: AwsSandbox
  readonly roleArn: string
  readonly logged: string[] = []
  /** How far the broker's clock is off the real one, in milliseconds. */
  ours: number
  /** The same for AWS's. */
  theirs: number

  constructor(sandbox: AwsSandbox, roleArn: string, clocks: { ours: number; theirs: number }) {
    this.sandbox = sandbox
    this.roleArn = roleArn
    this.ours = clocks.ours
    this.theirs = clocks.theirs
  }

  /** Both clocks go on by `ms`. */
  pass(ms: number): void {
    this.ours += ms
    this.theirs += ms
    this.#ticks += ms
  }

  #ticks = 0
  readonly #processes = new Map<number, number>()

  /** Each provider is a process that was started shortly after the last. */
  #nextProcess(epoch: number): number {
    const process = this.#processes.get(epoch) ?? 0
    this.#processes.set(epoch, process + 1)
    return process
  }

  provider(
    options: { epoch?: number; writer?: UpstreamWriter; settings?: object; keys?: AwsKeys } = {},
  ): Provider {
    const { epoch = 1, keys = this.sandbox.brokerCredentials } = options
    const secrets = new Map([['env:BROKER', keys.secretAccessKey]])
    const clock: Clock = {
      now: () => Date.now() + this.ours,
      earliest: () => Date.now() + this.ours,
      latest: () => Date.now() + this.ours,
      monotonic: () => performance.now() + this.#ticks,
      after: (ms, run) => {
        const timer = setTimeout(run, ms)
        return () => clearTimeout(timer)
      },
    }
    return awsSts.create({
      name: 'aws',
      installation: INSTALLATION,
      writer: options.writer ?? writerOf({ epoch, process: this.#nextProcess(epoch) }),
      settings: awsSts.settings.parse({
        type: 'aws-sts',
        region: this.sandbox.region,
        endpoints: { sts: this.sandbox.endpoint, iam: this.sandbox.endpoint },
        credentials: { access_key_id: keys.accessKeyId, secret_access_key: 'env:BROKER' },
        ...options.settings,
      }),
      targets: [awsSts.target.parse({ role_arn: this.roleArn })],
      clock,
      secret: (reference) => new Secret(secrets.get(reference) ?? reference.slice('env:'.length)),
      log: {
        info: (_, message) => this.logged.push(message),
        warn: (_, message) => this.logged.push(message),
      },
    })
  }

  order(change: Partial<MintOrder> = {}): MintOrder {
    const lease = change.lease ?? newId('lease', idSource)
    const ttlSeconds = change.ttlSeconds ?? 300
    return {
      lease,
      upstreamName: upstreamName(lease),
      generation: 1,
      task: newId('task', idSource),
      agent: 'summariser',
      tenant: 'support',
      holder: { key: null, chain: [] },
      target: { role_arn: this.roleArn },
      targetName: this.roleArn,
      group: this.roleArn,
      scope: {},
      intent: READ_TICKETS,
      ttlSeconds,
      notAfter: Date.now() + this.ours + ttlSeconds * 1000,
      slot: null,
      handle: null,
      signal: AbortSignal.timeout(5_000),
      ...change,
    }
  }

  endOf(order: MintOrder, minted?: Minted): EndOrder {
    return {
      lease: order.lease,
      upstreamName: order.upstreamName,
      task: order.task,
      agent: order.agent,
      tenant: order.tenant,
      target: order.target,
      targetName: order.targetName,
      group: order.group,
      slot: null,
      handle: null,
      nativeExpiresAt: minted?.nativeExpiresAt ?? null,
      latestPossibleExpiry: (minted?.nativeExpiresAt ?? order.notAfter + 900_000) + SKEW_MS,
    }
  }

  end(provider: Provider, orders: readonly EndOrder[], stillRefused: readonly EndOrder[] = []) {
    const signal = AbortSignal.timeout(3_000)
    const outcomes = provider.revoke?.({ group: this.roleArn, orders, stillRefused, signal })
    if (!outcomes) throw new Error('the provider cannot end leases')
    return outcomes
  }

  /** Reads the ticket with a credential: `ok`, or the name of AWS's refusal. */
  async read({ credential }: Minted): Promise<string> {
    const text = (field: unknown) => (field instanceof Secret ? field.reveal() : String(field))
    const s3 = new S3Client({
      region: this.sandbox.region,
      endpoint: this.sandbox.endpoint,
      forcePathStyle: true,
      maxAttempts: 1,
      credentials: {
        accessKeyId: text(credential.access_key_id),
        secretAccessKey: text(credential.secret_access_key),
        sessionToken: text(credential.session_token),
      },
    })
    try {
      await s3.send(new GetObjectCommand({ Bucket: 'tickets', Key: '4711' }))
      return 'ok'
    } catch (error) {
      return error instanceof Error ? error.name : 'unreadable'
    } finally {
      s3.destroy()
    }
  }

  /** The leases each document of the role lists, by document name. */
  documents(): Record<string, string[]> {
    const ours = Object.entries(this.sandbox.rolePolicies(ROLE)).filter(([name]) =>
      name.startsWith('mayfly-'),
    )
    return Object.fromEntries(ours.map(([name, text]) => [name, text.match(/mf-\w{20}/g) ?? []]))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sandbox.close()
  }
}

/** Starts a bench; changes of policies bite at once unless `propagationMs` says otherwise. */
export async function awsBench(
  options: {
    propagationMs?: number
    theirs?: number
    inline?: Record<string, string>
    allowed?: readonly string[]
  } = {},
): Promise<AwsBench> {
  const clocks = { ours: 0, theirs: options.theirs ?? 0 }
  let bench: AwsBench | undefined
  const sandbox = await startAwsSandbox({
    ledger: new Ledger(),
    propagationMs: options.propagationMs ?? 0,
    now: () => Date.now() + (bench?.theirs ?? clocks.theirs),
  })
  sandbox.putBucket('tickets')
  sandbox.putObject('tickets', '4711', 'the printer is on fire')
  const role = sandbox.addRole({
    name: ROLE,
    externalId: `${INSTALLATION}:support`,
    policies: {
      permissions: {
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Action: options.allowed ?? 's3:*', Resource: '*' }],
      },
      ...options.inline,
    },
  })
  bench = new AwsBench(sandbox, role.arn, clocks)
  return bench
}
