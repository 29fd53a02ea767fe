import { type Fault, Faults } from '../sandbox/faults.ts'
import { Ledger, type MintRecord } from '../sandbox/ledger.ts'

/** Tells as soon as a credential exists, before the upstream has answered. */
export class WatchedLedger extends Ledger {
  onMint: () => void = () => {}

  override mint(record: MintRecord): void {
    super.mint(record)
    // The broker's own logins have no lease's name.
    if (record.name !== undefined) this.onMint()
  }
}

/** Tells as soon as a call has arrived, before the upstream does it. */
export class WatchedFaults extends Faults {
  onCall: (operation: string) => void = () => {}

  override take(operation: string): Fault | undefined {
    this.onCall(operation)
    return super.take(operation)
  }
}
