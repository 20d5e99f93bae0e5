/** Where things are when nobody says otherwise: apart, so that naming them loads nothing. */

export const defaultDirectory = '/var/run/gfs2-fencing'
export const defaultLogDirectory = '/var/log/gfs2-fencing'

/** Under which names the agent is known. */
export const agentNames = ['fence_recorder', 'fence_gfs2_recorder'] as const
