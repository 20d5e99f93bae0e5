/** What a Redfish service tells about itself: the resources of the double, as JSON. */
import type { Profile, SystemProfile } from './redfish-profiles.ts'

export const root = '/redfish/v1'

const link = (path: string) => ({ '@odata.id': path })

/** A resource with what every resource has. */
export function resource(path: string, type: string, more: object): object {
  const id = path.split('/').at(-1) ?? ''
  const version = /Collection$|^ServiceRoot/.test(type) ? '' : '.v1_5_0'
  const full = type === 'ServiceRoot' ? 'ServiceRoot.v1_5_0' : `${type}${version}`
  return { '@odata.id': path, '@odata.type': `#${full}.${type}`, Id: id, Name: id, ...more }
}

export function collection(
  path: string,
  type: string,
  members: readonly string[],
  next?: number,
): object {
  return resource(path, `${type}Collection`, {
    Members: members.map((id) => link(`${path}/${id}`)),
    'Members@odata.count': members.length,
    ...(next !== undefined && { 'Members@odata.nextLink': `${path}?$skip=${next}` }),
  })
}

export function serviceRoot(profile: Profile): object {
  return resource(root, 'ServiceRoot', {
    Id: 'RootService',
    RedfishVersion: '1.6.0',
    UUID: '92384634-2938-2342-8820-489239905423',
    Vendor: profile.vendor,
    Systems: link(`${root}/Systems`),
    Chassis: link(`${root}/Chassis`),
    Managers: link(`${root}/Managers`),
    SessionService: link(`${root}/SessionService`),
    AccountService: link(`${root}/AccountService`),
    Tasks: link(`${root}/TaskService`),
    Links: { Sessions: link(`${root}/SessionService/Sessions`) },
  })
}

/** Moves as long as the machine runs, and not with a reset. */
let minutes = 4_711

export function system(
  { resetTypes, listed, manager }: Profile,
  { id, name, serial, uuid }: SystemProfile,
  { power, lastReset }: { power: string | null; lastReset: string | undefined },
): object {
  const path = `${root}/Systems/${id}`
  return resource(path, 'ComputerSystem', {
    Name: name,
    SystemType: 'Physical',
    Manufacturer: 'Example',
    SerialNumber: serial,
    UUID: uuid,
    PowerState: power,
    ...(lastReset !== undefined && { LastResetTime: lastReset }),
    Oem: { Example: { PowerOnMinutes: minutes++ } },
    Status: { State: power === 'On' ? 'Enabled' : 'Disabled', Health: 'OK' },
    Boot: { BootSourceOverrideEnabled: 'Disabled', BootSourceOverrideTarget: 'None' },
    Links: {
      Chassis: [link(`${root}/Chassis/${id}`)],
      ManagedBy: [link(`${root}/Managers/${manager}`)],
    },
    Actions: {
      '#ComputerSystem.Reset': {
        target: `${path}/Actions/ComputerSystem.Reset`,
        ...(listed === 'AllowableValues' && { 'ResetType@Redfish.AllowableValues': resetTypes }),
        ...(listed === 'ActionInfo' && { '@Redfish.ActionInfo': `${path}/ResetActionInfo` }),
      },
    },
  })
}

export function actionInfo({ resetTypes }: Profile, id: string): object {
  return resource(`${root}/Systems/${id}/ResetActionInfo`, 'ActionInfo', {
    Parameters: [
      { Name: 'ResetType', Required: true, DataType: 'String', AllowableValues: resetTypes },
    ],
  })
}

export function chassis(id: string, power: string): object {
  return resource(`${root}/Chassis/${id}`, 'Chassis', {
    ChassisType: 'RackMount',
    PowerState: power,
    Links: { ComputerSystems: [link(`${root}/Systems/${id}`)] },
  })
}

export function manager(id: string): object {
  return resource(`${root}/Managers/${id}`, 'Manager', { ManagerType: 'BMC' })
}

export function sessionService(): object {
  return resource(`${root}/SessionService`, 'SessionService', {
    ServiceEnabled: true,
    SessionTimeout: 300,
    Sessions: link(`${root}/SessionService/Sessions`),
  })
}

export function session(id: string, user: string): object {
  return resource(`${root}/SessionService/Sessions/${id}`, 'Session', { UserName: user })
}

export function accountService(): object {
  return resource(`${root}/AccountService`, 'AccountService', {
    Accounts: link(`${root}/AccountService/Accounts`),
  })
}

export function account(id: string, user: string, role: string): object {
  return resource(`${root}/AccountService/Accounts/${id}`, 'ManagerAccount', {
    UserName: user,
    RoleId: role,
    Enabled: true,
    Password: null,
  })
}

export function task(id: string, state: string, message?: string): object {
  return resource(`${root}/TaskService/Tasks/${id}`, 'Task', {
    TaskState: state,
    TaskStatus: state === 'Exception' ? 'Critical' : 'OK',
    Messages: message === undefined ? [] : [extended(message)],
  })
}

const extended = (messageId: string) => ({
  '@odata.type': '#Message.v1_0_7.Message',
  MessageId: messageId,
  Message: `What ${messageId} stands for.`,
  Severity: 'Critical',
  Resolution: 'Do something else.',
})

/** An error as DSP0266 (8.6) wants it. */
export function failure(messageId: string): object {
  return {
    error: {
      code: 'Base.1.8.GeneralError',
      message: 'A general error has occurred. See ExtendedInfo for more information.',
      '@Message.ExtendedInfo': [extended(messageId)],
    },
  }
}
