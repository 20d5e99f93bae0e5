/** The C types of Corosync's headers, as far as we use them, in koffi's words. */
import type { Koffi } from './native.ts'

/** Makes the types known to koffi. Their names are global there, so: once in a process. */
export function defineTypes(koffi: Koffi): void {
  // quorum.h and cpg.h have a struct of this shape each.
  koffi.struct('ring_id', { nodeid: 'uint32_t', seq: 'uint64_t' })
  defineQuorum(koffi)
  defineCpg(koffi)
  defineCmap(koffi)
}

function defineQuorum(koffi: Koffi): void {
  koffi.proto(`void OnVerdict(uint64_t handle, uint32_t quorate, ring_id ring,
    uint32_t membersLength, const uint32_t *members)`)
  koffi.proto(`void OnNodes(uint64_t handle, ring_id ring,
    uint32_t membersLength, const uint32_t *members,
    uint32_t joinedLength, const uint32_t *joined, uint32_t leftLength, const uint32_t *left)`)
  koffi.struct('quorum_model_v1_data_t', {
    model: 'int',
    onVerdict: 'OnVerdict *',
    onNodes: 'OnNodes *',
  })
  koffi.proto('void OnExpected(uint64_t handle, uint64_t context, uint32_t votes)')
  koffi.struct('votequorum_callbacks_t', {
    onVerdict: 'void *',
    onExpected: 'OnExpected *',
    onNodes: 'void *',
  })
  koffi.struct('votequorum_info', {
    node_id: 'uint32_t',
    node_state: 'uint32_t',
    node_votes: 'uint32_t',
    node_expected_votes: 'uint32_t',
    highest_expected: 'uint32_t',
    total_votes: 'uint32_t',
    quorum: 'uint32_t',
    flags: 'uint32_t',
    qdevice_votes: 'uint32_t',
    qdevice_name: koffi.array('char', 255, 'String'),
  })
}

function defineCpg(koffi: Koffi): void {
  koffi.struct('cpg_name', { length: 'uint32_t', value: koffi.array('char', 128, 'String') })
  koffi.proto(`void OnDeliver(uint64_t handle, const cpg_name *group, uint32_t nodeid,
    uint32_t pid, const void *bytes, size_t length)`)
  koffi.proto(`void OnChange(uint64_t handle, const cpg_name *group,
    const void *members, size_t membersLength, const void *left, size_t leftLength,
    const void *joined, size_t joinedLength)`)
  koffi.proto(`void OnRing(uint64_t handle, ring_id ring,
    uint32_t membersLength, const uint32_t *members)`)
  koffi.struct('cpg_model_v1_data_t', {
    model: 'int',
    onDeliver: 'OnDeliver *',
    onChange: 'OnChange *',
    onRing: 'OnRing *',
    flags: 'uint32_t',
  })
  koffi.struct('iovec', { base: 'const void *', length: 'size_t' })
}

function defineCmap(koffi: Koffi): void {
  koffi.struct('cmap_notify_value', { type: 'int', length: 'size_t', data: 'const void *' })
  koffi.proto(`void OnKey(uint64_t handle, uint64_t track, int32_t event, const char *key,
    cmap_notify_value now, cmap_notify_value before, void *user)`)
}
