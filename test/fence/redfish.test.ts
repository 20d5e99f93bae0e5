/** The `redfish` driver on doubles of several vendors' BMCs: the contract, and every known trap. */
import { redfish } from '../../src/fence/drivers/redfish.ts'
import { contract } from './contract.ts'
import { ilo } from './redfish-profiles.ts'
import { redfishStand } from './redfish-stand.ts'

contract(redfish, () => redfishStand(ilo))
