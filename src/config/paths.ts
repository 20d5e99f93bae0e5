/** Where the configuration is looked for when nobody says otherwise. */
export const defaultConfigFile = '/etc/picket/config.yaml'

/** What picketd keeps over a boot lies here when nobody says otherwise. */
export const defaultStateDir = '/var/lib/picket'
