/**
 * What is written down of an order without picketd: the ledger, every attempt and its evidence, and
 * the audit log. In a directory, where they outlive the process; or for its life alone, for whoever
 * is ended without a warning and may leave nothing behind.
 */
import { hostname } from 'node:os'
import { type Audit, openAudit } from '../audit/log.ts'
import type { Ledger } from '../core/ledger.ts'
import type { Net } from '../foreign/mask.ts'
import { type Fencings, openFencings } from './fencings.ts'
import type { Say } from './log.ts'
import { openStore, type Store } from './store.ts'

export interface Records {
  readonly store: Store
  readonly fencings: Fencings
  readonly audit: Audit
}

/** All in one place, under the lock of whoever opens them: nobody else writes there. */
export function openRecords(
  dir: string,
  cluster: string,
  { say, clean }: { readonly say: Say; readonly clean: Net },
): Records {
  return {
    store: openStore(dir, cluster, say),
    fencings: openFencings(dir, clean),
    audit: openAudit({ dir, node: hostname(), writer: 'picket fence', say, clean }),
  }
}

/** Of one target, as long as this process lives: the next order for it knows of the one before. */
export function recordsInMemory(): Records {
  let kept: Ledger | undefined
  const done = Promise.resolve()
  return {
    store: {
      get ledger() {
        return kept
      },
      async save(ledger) {
        kept = ledger
        return { ok: true }
      },
      settled: () => done,
    },
    fencings: {
      unfinished: [],
      attempt: async () => ({ ok: true }),
      outcome: () => {},
      evidence: () => {},
      verdict: () => {},
      keepOnly: () => {},
      settled: () => done,
    },
    audit: { note: () => {}, settled: () => done, close: () => done },
  }
}
