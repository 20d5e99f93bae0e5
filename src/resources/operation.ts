/**
 * One operation's way to run programs. It closes for good when the operation is over: code of a
 * resource type that wakes up late can then start nothing any more. The scope is made with the
 * first program: many operations run none, and have nothing to clear up.
 */
import { type Program, type Running, startProgram } from './program.ts'
import type { OperationScope } from './resource.ts'
import type { Scopes } from './scope.ts'

export interface OpenOperation {
  readonly scope: OperationScope
  /** Nothing can be started any more. */
  close(): void
  /** Has a scope been made for it? */
  used(): boolean
  /** Is a program that was waited for still running? */
  busy(): boolean
  /** Lets go of what belongs to programs that are gone, or that cannot be killed. */
  release(): void
}

export interface OperationOptions {
  readonly scopes: Scopes
  /** The scope, as `scopes.nameFor` gives it. */
  readonly name: string
  readonly env: Readonly<Record<string, string>>
  /** A launched program has ended, whenever that is. */
  readonly onLaunchedEnd: (sentence: string) => void
}

/** Opens the way into one scope. */
export function openOperation(options: OperationOptions): OpenOperation {
  const running = new Set<Running>()
  let waitedFor = 0
  let used = false
  let closed = false
  const start = async (program: Program): Promise<Running> => {
    if (closed) throw new Error('the operation is over')
    if (!used) options.scopes.create(options.name)
    used = true
    const env = { ...options.env, ...program.env }
    const started = await startProgram({ ...program, env }, options.scopes.entrance(options.name))
    running.add(started)
    return started
  }
  return {
    scope: {
      async run(program) {
        waitedFor += 1
        try {
          const started = await start(program)
          return await started.ended
        } finally {
          waitedFor -= 1
        }
      },
      async launch(program) {
        const started = await start(program)
        void started.ended.then(({ code, signal }) =>
          options.onLaunchedEnd(
            signal === undefined ? `it ended with exit code ${code}` : `it was ended by ${signal}`,
          ),
        )
        started.leave()
        await started.executed
        return { pid: started.pid, ended: started.ended }
      },
    },
    close: () => {
      closed = true
    },
    used: () => used,
    busy: () => waitedFor > 0,
    release: () => {
      for (const one of running) one.release()
    },
  }
}
