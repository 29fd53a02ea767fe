/**
 * A small evaluator of the Common Expression Language, written from its specification
 * (https://github.com/google/cel-spec/blob/master/doc/langdef.md), for the part that conditions of
 * Google's access boundaries may use: strings, booleans, `||`, `&&`, `!`, `==`, `!=`, member calls.
 * It knows nothing of what Mayfly writes; what it cannot read is an error, which permits nothing.
 */

type Value = string | boolean
/** What the names of an expression stand for: `resource.name`, and functions such as `api.getAttribute`. */
export interface Scope {
  readonly variables: Readonly<Record<string, Value>>
  readonly functions: Readonly<Record<string, (...args: Value[]) => Value>>
}

type Node = (scope: Scope) => Value

/** Compiles an expression; throws where it is none. */
export function parseCel(text: string): Node {
  const tokens = tokensOf(text)
  let at = 0
  const peek = () => tokens[at]?.text
  const take = (expected?: string) => {
    const token = tokens[at++]
    if (!token || (expected !== undefined && token.text !== expected)) {
      throw new Error(`expected ${expected ?? 'more'}, found ${token?.text ?? 'the end'}`)
    }
    return token
  }
  const whole = or()
  if (at < tokens.length) throw new Error(`did not expect ${peek()}`)
  return whole

  function or(): Node {
    let left = and()
    while (peek() === '||') {
      take()
      left = either(left, and(), true)
    }
    return left
  }
  function and(): Node {
    let left = relation()
    while (peek() === '&&') {
      take()
      left = either(left, relation(), false)
    }
    return left
  }
  function relation(): Node {
    const left = unary()
    const operator = peek()
    if (operator !== '==' && operator !== '!=') return left
    take()
    const right = unary()
    return (scope) => (left(scope) === right(scope)) === (operator === '==')
  }
  function unary(): Node {
    if (peek() !== '!') return member()
    take()
    const inner = unary()
    return (scope) => !truth(inner(scope))
  }
  function member(): Node {
    const token = take()
    if (token.text === '(' && token.literal === undefined) {
      const inner = or()
      take(')')
      return calls(inner)
    }
    if (token.literal !== undefined) {
      const { literal } = token
      return calls(() => literal)
    }
    return named(token.text)
  }
  /** A dotted name: a variable, a function of the scope, or a method of a variable. */
  function named(first: string): Node {
    const path = [first]
    while (peek() === '.') {
      take()
      path.push(take().text)
      if (peek() === '(') {
        const args = argumentsOf()
        const [method = ''] = path.slice(-1)
        const owner = path.slice(0, -1).join('.')
        return calls((scope) => {
          const plain = scope.functions[path.join('.')]
          const values = args.map((arg) => arg(scope))
          return plain ? plain(...values) : callMethod(variable(scope, owner), method, values)
        })
      }
    }
    return (scope) => variable(scope, path.join('.'))
  }
  function calls(target: Node): Node {
    let node = target
    while (peek() === '.') {
      take()
      const method = take().text
      const [inner, args] = [node, argumentsOf()]
      node = (scope) =>
        callMethod(
          inner(scope),
          method,
          args.map((arg) => arg(scope)),
        )
    }
    return node
  }
  function argumentsOf(): Node[] {
    take('(')
    const args: Node[] = []
    while (peek() !== ')') {
      if (args.length > 0) take(',')
      args.push(or())
    }
    take(')')
    return args
  }
}

/** `||` and `&&` are commutative over errors: one side alone may decide (langdef, "Logical Operators"). */
function either(left: Node, right: Node, decides: boolean): Node {
  return (scope) => {
    try {
      if (truth(left(scope)) === decides) return decides
    } catch (error) {
      if (truth(right(scope)) === decides) return decides
      throw error
    }
    return truth(right(scope))
  }
}

function truth(value: Value): boolean {
  if (typeof value === 'boolean') return value
  throw new Error('not a boolean')
}

function variable({ variables }: Scope, name: string): Value {
  const value = variables[name]
  if (value === undefined) throw new Error(`no such variable: ${name}`)
  return value
}

function callMethod(target: Value, method: string, args: readonly Value[]): Value {
  const [argument] = args
  if (typeof target !== 'string' || typeof argument !== 'string' || args.length !== 1) {
    throw new Error(`no such overload: ${method}`)
  }
  switch (method) {
    case 'startsWith':
      return target.substring(0, argument.length) === argument
    case 'endsWith':
      return argument === '' || target.slice(-argument.length) === argument
    case 'contains':
      return target.indexOf(argument) >= 0
    default:
      throw new Error(`no such method: ${method}`)
  }
}

interface Token {
  readonly text: string
  readonly literal?: Value
}

const SPACE = /^[\t\n\f\r ]+/
const IDENTIFIER = /^[_a-zA-Z][_a-zA-Z0-9]*/
const OPERATOR = /^(?:\|\||&&|==|!=|[!().,])/
const STRING = /^(?:'((?:[^'\\\n\r]|\\.)*)'|"((?:[^"\\\n\r]|\\.)*)")/

function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  let rest = text
  while (rest !== '') {
    const space = SPACE.exec(rest)
    if (space) {
      rest = rest.slice(space[0].length)
      continue
    }
    const string = STRING.exec(rest)
    const found = string ?? IDENTIFIER.exec(rest) ?? OPERATOR.exec(rest)
    if (!found) throw new Error(`cannot read: ${rest}`)
    const word = found[0]
    if (string) tokens.push({ text: word, literal: unescaped(string[1] ?? string[2] ?? '') })
    else if (word === 'true' || word === 'false')
      tokens.push({ text: word, literal: word === 'true' })
    else tokens.push({ text: word })
    rest = rest.slice(word.length)
  }
  return tokens
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '`': '`',
  '?': '?',
}

function unescaped(body: string): string {
  return body.replace(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([0-3][0-7]{2})|(.))/g,
    (_, hex?: string, unicode?: string, octal?: string, plain?: string) => {
      const code = hex ?? unicode
      if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16))
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8))
      const character = ESCAPES[plain ?? '']
      if (character === undefined) throw new Error(`no such escape: \\${plain}`)
      return character
    },
  )
}
