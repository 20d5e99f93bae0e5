/**
 * How the BMCs of different vendors speak Redfish, as data for the double: what they offer, how
 * they refuse, what they are made of. From DMTF DSP0266, DSP0268 and the vendors' own API guides.
 */

export interface SystemProfile {
  readonly id: string
  readonly name: string
  readonly serial: string
  readonly uuid: string
}

export interface Profile {
  readonly vendor: string
  readonly systems: readonly SystemProfile[]
  readonly manager: string
  /** `ResetType` that the BMC carries out, and where it lists them. */
  readonly resetTypes: readonly string[]
  readonly listed: 'AllowableValues' | 'ActionInfo' | 'nowhere'
  /** The status of an accepted reset; 202 comes with a task. */
  readonly accepted: 200 | 202 | 204
  /** The refusal to become what it is already; without one that is accepted. */
  readonly already?: { readonly status: number; readonly messageId: string }
  /** A further power command this soon after the last one is refused in the same way. */
  readonly repeatAfterMs: number
  /** How long an off takes; `PoweringOff` meanwhile where the vendor says so. */
  readonly offTakesMs: number
  readonly transitional: boolean
  /** A path without a slash at its end is redirected, or only where it is posted to, or unknown. */
  readonly slash: 'either' | 'redirects' | 'redirects a post' | 'wanted'
  /** How many members a page of a collection has. */
  readonly pageSize?: number
  readonly sessionsMax: number
  /** What a login calls its session: a path, a URL, or one with a name that only the BMC knows. */
  readonly sessionLocation: 'path' | 'url' | 'name'
}

const one: SystemProfile = {
  id: '1',
  name: 'Computer System',
  serial: 'CZ20450K2B',
  uuid: '30373237-3132-4d32-3230-343530304b32',
}

export const ilo: Profile = {
  vendor: 'HPE',
  systems: [one],
  manager: '1',
  resetTypes: [
    ...['On', 'ForceOff', 'GracefulShutdown', 'ForceRestart'],
    ...['Nmi', 'PushPowerButton', 'GracefulRestart'],
  ],
  listed: 'AllowableValues',
  accepted: 200,
  already: { status: 400, messageId: 'iLO.2.14.InvalidOperationForSystemState' },
  repeatAfterMs: 0,
  offTakesMs: 0,
  transitional: false,
  slash: 'either',
  sessionsMax: 8,
  sessionLocation: 'url',
}

export const idrac: Profile = {
  vendor: 'Dell',
  systems: [
    {
      id: 'System.Embedded.1',
      name: 'System',
      serial: 'CNFCP0009A00AB',
      uuid: '4c4c4544-0051-3010-8054-b4c04f313235',
    },
  ],
  manager: 'iDRAC.Embedded.1',
  resetTypes: [
    ...['On', 'ForceOff', 'ForceRestart', 'GracefulRestart', 'GracefulShutdown'],
    ...['PushPowerButton', 'Nmi', 'PowerCycle'],
  ],
  listed: 'ActionInfo',
  accepted: 202,
  already: { status: 409, messageId: 'IDRAC.2.8.PSU501' },
  repeatAfterMs: 0,
  offTakesMs: 0,
  transitional: false,
  slash: 'either',
  sessionsMax: 6,
  sessionLocation: 'path',
}

/** The published mock-up of an iDRAC: it offers no hard off. */
export const idracMockup: Profile = {
  ...idrac,
  resetTypes: ['On', 'GracefulRestart', 'ForceRestart', 'PowerCycle'],
  listed: 'AllowableValues',
  accepted: 204,
}

/** Lenovo; Supermicro offers the same. */
export const xcc: Profile = {
  vendor: 'Lenovo',
  systems: [{ ...one, serial: 'J30A1B2C', uuid: '7a1d4f1c-5d0e-11ea-8a3b-7ed30a2c1f54' }],
  manager: '1',
  resetTypes: [
    ...['On', 'Nmi', 'GracefulShutdown', 'GracefulRestart'],
    ...['ForceOn', 'ForceOff', 'ForceRestart'],
  ],
  listed: 'AllowableValues',
  accepted: 204,
  repeatAfterMs: 0,
  offTakesMs: 0,
  transitional: false,
  slash: 'either',
  sessionsMax: 16,
  sessionLocation: 'path',
}

/** bmcweb: ActionInfo alone, a state of the host and one of the chassis. */
export const openbmc: Profile = {
  vendor: 'OpenBMC',
  systems: [
    {
      id: 'system',
      name: 'system',
      serial: 'OB000017',
      uuid: '8f4e2a60-9c2b-4d5e-8a41-0c42a1d3f7aa',
    },
  ],
  manager: 'bmc',
  resetTypes: [
    ...['On', 'ForceOff', 'ForceOn', 'ForceRestart', 'GracefulRestart'],
    ...['GracefulShutdown', 'PowerCycle', 'Nmi'],
  ],
  listed: 'ActionInfo',
  accepted: 204,
  repeatAfterMs: 0,
  offTakesMs: 300,
  transitional: true,
  slash: 'either',
  sessionsMax: 64,
  sessionLocation: 'path',
}

/** A GPU box: the baseboard of the accelerators is a system too. */
export const hgx: Profile = {
  ...openbmc,
  vendor: 'NVIDIA',
  systems: [
    {
      id: 'HGX_Baseboard_0',
      name: 'HGX_Baseboard_0',
      serial: '1582823010046',
      uuid: '5f1d7a3e-7d0b-4e52-b6f2-11c0ffee0001',
    },
    {
      id: 'System_0',
      name: 'System_0',
      serial: 'GPU-HOST-17',
      uuid: '5f1d7a3e-7d0b-4e52-b6f2-11c0ffee0002',
    },
  ],
}

/** An enclosure whose blades have one service; two of them bear one name. */
export const blades: Profile = {
  ...xcc,
  vendor: 'Blades',
  systems: ['Blade1', 'Blade2', 'Blade3'].map((id, index) => ({
    id,
    name: index === 0 ? 'first' : 'Compute Blade',
    serial: `BLADE-SN-${index + 1}`,
    uuid: `e2c1b7a0-1f6d-4b6e-9d55-00000000000${index + 1}`,
  })),
}
