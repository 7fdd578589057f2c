#!/usr/bin/env bash
# A first boot in a copy of a root, as far as user-data goes:
#
#   stages.sh ROOT WORK SEED PROGRAM
#
#   ROOT     the tree; it is only read
#   WORK     a new directory: upper/ (what changed), run/, console
#   SEED     a directory with user-data, meta-data, perhaps vendor-data, perhaps system.cfg (for /etc/cloud),
#            and a file `boots` where there is to be a second boot
#   PROGRAM  `cloud-init`, which ROOT has, or the path of a hardtack-agent
#
# The four stages run one after the other in name spaces of their own, without a network but for the
# loopback device, and with devices that lead nowhere: no seed can reach a disk of this machine.
# Needs root, unshare and overlayfs.
set -euo pipefail

export root=$1 work=$2 seed=$3 program=$4
umask 022
mkdir -p "$work"/{upper,work,merged,run}
mkdir -p "$work"/upper/{var/lib/cloud/seed/nocloud,etc/cloud/cloud.cfg.d,usr/lib/hardtack}
for file in user-data meta-data vendor-data; do
  [ ! -e "$seed/$file" ] || cp "$seed/$file" "$work/upper/var/lib/cloud/seed/nocloud/"
done
config=$work/upper/etc/cloud/cloud.cfg.d/99_seed.cfg
printf 'datasource_list: [NoCloud, None]\n' >"$config"
# RSA and DSA take longer than all the rest: seeds that do not care have none.
cat "$seed/system.cfg" >>"$config" 2>/dev/null || printf 'ssh_genkeytypes: [ed25519, ecdsa]\n' >>"$config"
[ "$program" = cloud-init ] || cp "$program" "$work/upper/usr/lib/hardtack/hardtack-agent"

exec unshare --mount --uts --ipc --pid --net --fork bash -euo pipefail <<'INSIDE'
options=lowerdir=$root,upperdir=$work/upper,workdir=$work/work,redirect_dir=off,metacopy=off
mount -t overlay overlay -o "$options" "$work/merged"
cd "$work/merged"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount --bind "$work/run" run
# systemd is there, as far as anybody asks; systemctl ignores requests from a chroot.
mkdir -p run/systemd/system
mount -t tmpfs -o mode=755 dev dev
while read -r name major minor; do mknod -m 666 "dev/$name" c "$major" "$minor"; done <<'NODES'
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
NODES
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
# Loop devices that nobody has attached: they are there, and cannot be opened.
mknod dev/vdx b 7 1048570
mknod dev/vdx1 b 7 1048571
mknod dev/vdy b 7 1048572
: >dev/console
ip link set lo up
hostname localhost

go() {
  chroot . /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    timeout 100 "$@" </dev/null >>"$work/console" 2>&1 || echo "exit status $? of $*" >>"$work/console"
}
boot() {
  if [ "$program" = cloud-init ]; then
    go cloud-init init --local
    go cloud-init init
    go cloud-init modules --mode config
    go cloud-init modules --mode final
  else
    for stage in local network config final; do go /usr/lib/hardtack/hardtack-agent stage "$stage"; done
  fi
}
boot
if [ -e "$seed/boots" ]; then
  rm -rf run/cloud-init run/hardtack
  boot
fi
cat dev/console >>"$work/console"

# Configuration is compared as what it says, however it is written.
chroot . python3 - <<'PYTHON'
import glob, json, yaml
for name in glob.glob("/var/lib/cloud/instance/*cloud-config.txt"):
    with open(name, "r+") as file:
        text = file.read()
        head = [line for line in text.splitlines() if line.startswith("#")]
        body = json.dumps(yaml.safe_load(text), indent=1, sort_keys=True, default=str)
        file.seek(0)
        file.truncate()
        file.write("\n".join(head) + "\n" + body + "\n")
PYTHON
INSIDE
