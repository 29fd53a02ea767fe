/**
 * The todo and the gateway scenario of the AuthZEN interop events (openid/authzen,
 * interop/authzen-todo-backend and interop/authzen-api-gateways), by their tables: five people in
 * four roles. Each is a task here, whose intent is what the roles permit.
 */
import { expect, it } from 'vitest'
import { askAll, named } from '../fixture/gateway.ts'
import { type Api, testApi } from '../fixture/http.ts'
import { wordsHouse } from '../fixture/words-provider.ts'

type Role = 'viewer' | 'editor' | 'admin' | 'evil_genius'
const PEOPLE: Record<string, readonly Role[]> = {
  rick: ['admin', 'evil_genius'],
  morty: ['editor'],
  summer: ['editor'],
  beth: ['viewer'],
  jerry: ['viewer'],
}

/** Each row: an action, on what, and who is told yes. */
async function expectTable(
  api: Api,
  tasks: Readonly<Record<string, object>>,
  rows: readonly (readonly [action: string, resource: (person: string) => object, string])[],
) {
  for (const [name, resource, allowed] of rows) {
    const people = Object.keys(PEOPLE)
    const evaluations = people.map((one) => ({ subject: tasks[one], resource: resource(one) }))
    const { body } = await askAll(api, { action: { name }, evaluations })
    const told = people.filter((_, at) => body.evaluations[at].decision)
    expect([name, told.join(' ')]).toEqual([name, allowed])
  }
}

async function peopleWith(
  type: string,
  intentOf: (person: string, roles: readonly Role[]) => object[],
) {
  const api = await testApi(wordsHouse(type, Object.keys(PEOPLE)))
  const tasks: Record<string, object> = {}
  for (const [sub, roles] of Object.entries(PEOPLE)) {
    const items = intentOf(sub, roles).map((one) => ({ type, identifier: `${type}s`, ...one }))
    tasks[sub] = named(await api.open({ intent: items }, { sub }))
  }
  return { api, tasks }
}

it('todo: everybody reads, editors create and change their own, roles go beyond', async () => {
  const { api, tasks } = await peopleWith('todo', (person, roles) => {
    const [edits, all, evil] = [
      !roles.includes('viewer'),
      roles.includes('admin'),
      roles.includes('evil_genius'),
    ]
    const own = { locations: [`todo/${person}/*`] }
    return [
      { actions: ['can_read_user', 'can_read_todos'], locations: ['*'] },
      ...(edits ? [{ actions: ['can_create_todo'], locations: ['todo/*'] }] : []),
      ...(edits ? [{ actions: ['can_update_todo', 'can_delete_todo'], ...own }] : []),
      ...(evil ? [{ actions: ['can_update_todo'], locations: ['todo/*'] }] : []),
      ...(all ? [{ actions: ['can_delete_todo'], locations: ['todo/*'] }] : []),
    ]
  })
  const of = (owner: string) => ({ type: 'todo', id: `todo/${owner}/7240d0db` })
  const everybody = 'rick morty summer beth jerry'
  await expectTable(api, tasks, [
    ['can_read_user', () => ({ type: 'todo', id: 'user/beth' }), everybody],
    ['can_read_todos', () => ({ type: 'todo', id: 'todo' }), everybody],
    ['can_create_todo', () => ({ type: 'todo', id: 'todo/new' }), 'rick morty summer'],
    ['can_update_todo', () => of('rick'), 'rick'],
    ['can_update_todo', (person) => of(person), 'rick morty summer'],
    ['can_update_todo', () => of('morty'), 'rick morty'],
    ['can_delete_todo', () => of('rick'), 'rick'],
    ['can_delete_todo', (person) => of(person), 'rick morty summer'],
    ['can_delete_todo', () => of('jerry'), 'rick'],
  ])
})

it('gateway: methods on routes, by role', async () => {
  const { api, tasks } = await peopleWith('route', (_, roles) => [
    { actions: ['GET'], locations: ['/users/{userId}', '/todos'] },
    ...(roles.includes('viewer')
      ? []
      : [
          { actions: ['POST'], locations: ['/todos'] },
          { actions: ['PUT', 'DELETE'], locations: ['/todos/{todoId}'] },
        ]),
  ])
  const route = (id: string) => () => ({ type: 'route', id })
  const everybody = 'rick morty summer beth jerry'
  await expectTable(api, tasks, [
    ['GET', route('/users/{userId}'), everybody],
    ['GET', route('/todos'), everybody],
    ['POST', route('/todos'), 'rick morty summer'],
    ['PUT', route('/todos/{todoId}'), 'rick morty summer'],
    ['DELETE', route('/todos/{todoId}'), 'rick morty summer'],
  ])
})
