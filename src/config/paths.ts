/** Where the configuration is looked for when nobody says otherwise. */
export const defaultConfigFile = '/etc/picket/config.yaml'
