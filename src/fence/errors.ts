/**
 * Why a fence device did not do what it was asked: one table and one class, no class per failure.
 *
 * These errors live between a driver and its device (`device.ts`); beyond it there are only values.
 */
export { printable } from '../foreign/printable.ts'

interface Failure {
  /** Is it worth asking the same device again without anybody mending something? */
  readonly retry: boolean
  /**
   * Did the power certainly stay as it was? True when the command was never sent or the device said
   * no. A failure that is not inert may still be carried out late (F3).
   */
  readonly inert: boolean
  readonly says: string
  /** What a person can do about it. */
  readonly mend: string
}

export const failures = {
  auth: {
    retry: false,
    inert: true,
    says: 'the device refused our password',
    mend: 'correct the password in the secrets file',
  },
  user: {
    retry: false,
    inert: true,
    says: 'the device does not know our user',
    mend: 'correct the user, or allow it to log in over the network',
  },
  privilege: {
    retry: false,
    inert: true,
    says: 'our user may not do this',
    mend: 'give the user the right to control the power',
  },
  unreachable: {
    retry: true,
    inert: true,
    says: 'the device cannot be reached',
    mend: 'check its address, its network and its own power',
  },
  dropped: {
    retry: true,
    inert: true,
    says: 'the device stopped answering before the command was sent',
    mend: 'check the network for loss, and the device for load',
  },
  timeout: {
    retry: true,
    inert: false,
    says: 'the device did not answer in time',
    mend: 'check the network and the device; until then count on a late effect',
  },
  cut: {
    retry: true,
    inert: false,
    says: 'the device broke off in the middle of its answer',
    mend: 'look whether it restarts; until then count on a late effect',
  },
  certificate: {
    retry: false,
    inert: true,
    says: 'the device shows a certificate that we do not trust',
    mend: 'pin its fingerprint in the config, or give it a certificate from a known authority',
  },
  locked: {
    retry: true,
    inert: true,
    says: 'the target is locked by another operation',
    mend: 'end that operation at the device; until then the next level has to do it',
  },
  noSuchPlug: {
    retry: false,
    inert: true,
    says: 'the device does not know this plug',
    mend: 'correct the plug or machine in the config',
  },
  refused: {
    retry: true,
    inert: true,
    says: 'the device refused the command',
    mend: "look into the device's own log",
  },
  busy: {
    retry: true,
    inert: true,
    says: 'the device is busy',
    mend: 'it is asked again; if this lasts, look for other programs that use it',
  },
  garbled: {
    retry: true,
    inert: false,
    says: 'the device answered something we do not understand',
    mend: 'ask it by hand and compare',
  },
  failed: {
    retry: true,
    inert: false,
    says: 'the program that switches the device reports a failure',
    mend: 'call it by hand and mend what it says; until then count on a late effect',
  },
  cipher: {
    retry: false,
    inert: true,
    says: 'the device speaks no cipher that we accept',
    mend: 'set a cipher that it supports',
  },
  identity: {
    retry: false,
    inert: true,
    says: 'this is not the device that the config names',
    mend: 'check the address, or correct the identity in the config',
  },
  missingProgram: {
    retry: false,
    inert: true,
    says: 'a program is missing on this machine',
    mend: 'install it',
  },
  local: {
    retry: true,
    inert: true,
    says: 'this machine could not even begin to send the command',
    mend: 'check its memory, its process limits and its permissions',
  },
  options: {
    retry: false,
    inert: true,
    says: 'the options of the device are wrong',
    mend: 'correct them in the config',
  },
  withdrawn: {
    retry: false,
    inert: true,
    says: 'the command was withdrawn before it was sent',
    mend: 'nothing needs to be done',
  },
} as const satisfies Record<string, Failure>

export type FenceFailure = keyof typeof failures

export class FenceError extends Error {
  override readonly name = 'FenceError'
  readonly failure: FenceFailure
  private readonly detail: string
  private readonly mend: string

  /** `mend` replaces the table's advice where the driver knows better. */
  constructor(failure: FenceFailure, detail: string, mend: string = failures[failure].mend) {
    super(sentence(failure, detail, mend))
    this.failure = failure
    this.detail = detail
    this.mend = mend
  }

  /** The message with its detail masked, which may hold foreign words; the rest is ours. */
  masked(mask: (text: string) => string): string {
    return sentence(this.failure, mask(this.detail), this.mend)
  }

  /** Is it worth asking the same device again? */
  get retry(): boolean {
    return failures[this.failure].retry
  }

  /** Did the power certainly stay as it was? */
  get inert(): boolean {
    return failures[this.failure].inert
  }
}

function sentence(failure: FenceFailure, detail: string, mend: string): string {
  return `${failures[failure].says} (${detail}): ${mend}`
}
