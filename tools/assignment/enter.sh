# Make a new root in which only some folders lie, read-only, then run a command in it without privileges.
# $1: where the new root goes, $2: how to drop privileges, $3: how many folders follow that may be read
set -e; umask 022
root=$1; drop=$2; count=$3; shift 3
mount -t tmpfs -o mode=755 tmpfs "$root"
mkdir "$root/proc" "$root/dev" "$root/tmp"; mount -t tmpfs -o size=256m,nr_inodes=16k,mode=1777 tmpfs "$root/tmp"
for path in /bin /lib /lib64; do if [ -L $path ]; then cp -P $path "$root$path"; fi; done
while [ "$count" -gt 0 ]; do
  mkdir -p "$root$1"; mount --rbind "$1" "$root$1"
  mount -o remount,bind,ro "$root$1" || mount -o remount,bind,ro,nosuid,nodev "$root$1"
  count=$((count - 1)); shift
done
for name in null random urandom; do touch "$root/dev/$name"; mount --bind "/dev/$name" "$root/dev/$name"; done
mount -t proc proc "$root/proc" || true
mount -o remount,bind,ro "$root"
cd /; exec chroot "$root" setpriv $drop --no-new-privs --inh-caps=-all --bounding-set=-all --pdeathsig KILL "$@"
