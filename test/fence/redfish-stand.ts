/** The double of a Redfish BMC, as the contract and the tests of the driver want it. */
import { type Device, openDevice } from '../../src/fence/device.ts'
import { redfish } from '../../src/fence/drivers/redfish.ts'
import type { Fault, Stand } from './contract.ts'
import { type Double, operator, redfishDouble } from './redfish-double.ts'
import type { Profile } from './redfish-profiles.ts'

export const between = [
  ...['PoweringOn', 'PoweringOff', 'Paused', 'Reset', 'Unknown', 'null', '', 'off', 'OFF', 'Off '],
  ...['Standby', 'Quiesced', 'Disabled', 'StandbyOffline'],
]

/** The options that a config would hold for a double. */
export function optionsFor({ transport }: Double, more: object = {}): Record<string, unknown> {
  const { user, password } = operator
  return { url: transport.url, fingerprint: transport.fingerprint, user, password, ...more }
}

/** Does something with a double, and with devices that reach it. */
export async function on(
  profile: Profile,
  work: (double: Double, device: (more?: object) => Device) => Promise<void>,
): Promise<void> {
  const double = await redfishDouble(profile)
  try {
    await work(double, (more) =>
      openDevice({ id: 'web-02/1/1', driver: redfish, options: optionsFor(double, more) }),
    )
  } finally {
    await double.close()
  }
}

/** What is wrong with these options. */
export const problemsOf = (options: object): string =>
  redfish.options
    .safeParse(options)
    .error?.issues.map(({ path, message }) => `${path.join('.')} ${message}`)
    .join() ?? ''

/** The login as it stands in a header. */
export const basicLogin = Buffer.from(`${operator.user}:${operator.password}`).toString('base64')

/** A stand for the contract: the last of the profile's systems is the target. */
export async function redfishStand(profile: Profile, more: object = {}): Promise<Stand> {
  const double = await redfishDouble(profile)
  const { transport, quirks } = double
  const faults: readonly Fault[] = ['ignored', 'late', 'comes back on', 'another identity']
  return {
    over: 'https',
    options: optionsFor(double, more),
    secrets: [operator.password, basicLogin, 'token-canary'],
    identity: profile.systems.at(-1)?.uuid,
    power: () => double.power(),
    setPower: (power) => double.setPower(power),
    between,
    setBetween: (raw) => void double.show(raw === 'null' ? null : raw),
    fail(wanted, from) {
      quirks.fault = wanted
      return transport.fail(wanted, from) || faults.includes(wanted)
    },
    empty: () => (quirks.empty = true),
    mend() {
      quirks.fault = undefined
      quirks.empty = false
      // Slots that the double's own hangs have filled are not what is tried here.
      double.sessions.clear()
      transport.mend()
    },
    requests: transport.requests,
    offs: () => transport.arrived().filter((call) => /^POST .*\/Actions\//.test(call)).length,
    overheard: transport.overheard,
    close: () => double.close(),
  }
}
