import type { Failpoint } from './instrument.ts'

/** Why a sweep need not reach a failpoint; undefined: it must. */
export function whyUnreached({ name }: Failpoint): string | undefined {
  return EXCUSES.find(([what]) => what.test(name))?.[1]
}

const EXCUSES: readonly (readonly [RegExp, string])[] = [
  [
    /reconcil|repair-drift|seenWorking|inventory|giveBackFree/,
    'compares with the upstreams once in a long while, or when an operator asks',
  ],
  [/role-denials\.ts documents/, 'likewise'],
  [
    /role-denials\.ts (doubt: this\.#writes|put: this\.#send$)|unseen-write\.ts accepted/,
    'only for a write that IAM has not shown for 45 seconds',
  ],
  [/readOnce: dropPolicy|vault\/renew\.ts renew: mint/, 'no engine here that only expires'],
  [/confirmRestor/, 'an operator’s word after a restore'],
  [/endings\.ts due: commit/, 'only for a row that nobody can read'],
  [/receipt/, 'reads what is stored, and signs it'],
  [/gcp\/identity|clients\.ts assumed|session\.ts/, 'the sandbox takes identities that last'],
  [/role-denials\.ts tidy|role-policies\.ts delete/, 'an earlier document stays for five minutes'],
  [/\.close$|(index|containment-trial)\.ts close|closeUnused/, 'lets go; nothing is written'],
  [/exchange\.ts|revoke-token|undelivered/, 'another door to the same use cases'],
  [
    /authenticateGateway|byEvidence|possession\.ts|other-key|signalOfOurs|OtherKey/,
    'no gateway asks here, and no task is bound to a key',
  ],
  [/(listApprovals|awaitApproval|followApproval|killDryRun|countPools): |supposed-risk/, 'reads'],
  [/approval-notices|noticesDue/, 'nobody is told by webhook here'],
  [/(receiveAlert|refuseReport|reportUnreadable)/, 'no such alert is sent here'],
  [/forgiveSilence/, 'the process is never away for five seconds and back'],
  [/endIfSkewed/, 'the upstreams keep the same time'],
  [/nextTurn|enforceWorld: Promise\.all \(2\)/, 'a turn for others, where there are hundreds'],
  [
    /refuseByRail|waitAll|decisions\.refuse|delegation-shown\.ts refuse|leases\.fail$|liftBlock|revoke: revoke|run: failAll|renewLease: store\.leases\.end/,
    'an answer that depends on what the upstream or another request did just before',
  ],
  [
    /settle(Owed|Stranded)|runTogether: this\.#statements\.begin|serve: store\.close/,
    'only after a disk has failed',
  ],
  [/\.ts stop: this\.#running/, 'waits for what has failpoints of its own'],
  [/signer\.ts/, 'a new key is made once a month; first starts are killed there'],
]
