/** Where things are when nobody says otherwise: apart, so that naming them loads nothing. */

export const defaultDirectory = '/var/run/gfs2-fencing'
export const defaultLogDirectory = '/var/log/gfs2-fencing'
