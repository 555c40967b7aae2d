#!/bin/bash
# Boots systemd as the first process of namespaces of its own, for tests of our units. It sees this machine's files, and
# what it changes is in memory; it knows none of this machine's units, and may change none of its settings.
#
#   boot.sh SCRATCH GROUP REPOSITORY NODE      SCRATCH: an empty folder; GROUP: a control group to make for it, a name
#
# To be run in the network namespace that it is to have. It ends with the process that has started it.
set -euo pipefail
scratch=$1 group=$2 repository=$3 node=$4

if [ "${POPLIN_BOOT:-}" = "" ]; then
  # Its groups lie in one that the test can remove.
  mount --make-rprivate /
  mount -t cgroup2 cgroup2 "$scratch"
  mkdir "$scratch/$group"
  echo $$ > "$scratch/$group/cgroup.procs"
  umount "$scratch"
  POPLIN_BOOT=1 exec unshare --pid --fork --kill-child --uts --ipc --cgroup bash "$0" "$@"
fi

mount -t tmpfs tmpfs "$scratch"
root=$scratch/root
mkdir "$root" "$scratch/changes" "$scratch/work" "$scratch/units"
mount -t overlay overlay -o "lowerdir=/,upperdir=$scratch/changes,workdir=$scratch/work" "$root"

mount -t proc proc "$root/proc"
# Of the kernel's settings those of its own network namespace, and no others.
for settings in "$root"/proc/sys/* "$root"/proc/sysrq-trigge[r]; do
  [ "$settings" = "$root/proc/sys/net" ] || [ ! -e "$settings" ] || mount -o bind,ro "$settings" "$settings"
done
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir -p "$root"/dev/{net,pts,shm}
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done

# Open to all, as udev makes it.
mknod -m 666 "$root/dev/net/tun" c 10 200
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"

# Each entry of the tree by itself: the tree's own folder may be closed to the user of the unit.
mkdir -p "$root/usr/local/lib/poplin"
for entry in "$repository"/*; do
  place=$root/usr/local/lib/poplin/${entry##*/}
  if [ -d "$entry" ]; then mkdir "$place"; else touch "$place"; fi
  mount --bind "$entry" "$place"
done
rm -f "$root/usr/local/bin/node" "$root/usr/local/bin/poplin"
touch "$root/usr/local/bin/node"
mount --bind "$node" "$root/usr/local/bin/node"
ln -s ../lib/poplin/dist/cli/main.js "$root/usr/local/bin/poplin"
# After what may lie below it was found.
mount -t tmpfs tmpfs "$root/tmp"

units=$root/usr/lib/systemd/system
for unit in {basic,sysinit,shutdown,sockets,slices,network-online,multi-user}.target systemd-journald.{service,socket}; do
  # Without what they would start beside themselves.
  sed '/^\(Wants\|Requires\|After\)=/d' "$units/$unit" > "$scratch/units/$unit"
done
mount --bind "$scratch/units" "$units"
mount -t tmpfs tmpfs "$root/etc/systemd"
mkdir -p "$root/etc/systemd/system" "$root/etc/poplin"

# Not chroot: services get a view of their own of what is mounted, from the root on.
cd "$root"
mkdir before
pivot_root . before
umount --lazy before
rmdir before
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin container=poplin-test \
  /lib/systemd/systemd --unit=basic.target --show-status=no --log-level=warning --log-target=journal
