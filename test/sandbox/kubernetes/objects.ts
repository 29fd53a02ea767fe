import { randomUUID } from 'node:crypto'

export interface ServiceAccount {
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

export interface Pod {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly node: { readonly name: string; readonly uid: string }
}

/** What exists in the cluster: a name made again has another uid. */
export class ClusterObjects {
  readonly #accounts = new Map<string, ServiceAccount>()
  readonly #pods = new Map<string, Pod>()

  createAccount(namespace: string, name: string): ServiceAccount {
    const account = { namespace, name, uid: randomUUID() }
    this.#accounts.set(`${namespace}/${name}`, account)
    return account
  }

  deleteAccount({ namespace, name }: ServiceAccount): void {
    this.#accounts.delete(`${namespace}/${name}`)
  }

  createPod(namespace: string, name: string): Pod {
    const pod = { namespace, name, uid: randomUUID(), node: { name: 'node-1', uid: randomUUID() } }
    this.#pods.set(`${namespace}/${name}`, pod)
    return pod
  }

  deletePod({ namespace, name }: Pod): void {
    this.#pods.delete(`${namespace}/${name}`)
  }

  hasAccount(namespace: string, name: string, uid: string): boolean {
    return this.#accounts.get(`${namespace}/${name}`)?.uid === uid
  }

  hasPod(namespace: string, name: string, uid: string): boolean {
    return this.#pods.get(`${namespace}/${name}`)?.uid === uid
  }
}
