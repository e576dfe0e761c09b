// Puts a program where it does not see the machine's own libvirtd: none at all, or a private one in its place.

type Command = [program: string, ...args: string[]]

const view = (mounts: string, name: string): Command => ['unshare', '--mount', '--propagation', 'private', 'setpriv', '--pdeathsig', 'KILL', '--', 'sh', '-c', `mount -t tmpfs tmpfs /run && ${mounts}exec "$@"`, name]

/** In front of a command: it runs in a view of its own, where /run is empty, and ends with its parent. */
export const withoutLibvirt = view('', 'sh')

/** The same, but that `qemu:///system` leads to the daemon whose socket lies in the folder. */
export const besideLibvirt = (folder: string): Command => view('mkdir /run/libvirt && mount --bind "$0" /run/libvirt && ', folder)
