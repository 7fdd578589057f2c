#!/usr/bin/env bash
# Makes the sample image that `hardtack demo` hardens: make-sample.sh OUTPUT.qcow2
#
# It is laid out as Debian's genericcloud images are (GPT: 1 = ext4 root, 14 = BIOS boot, 15 = ESP)
# and holds what the recipe looks at: a Debian-like /etc, dpkg's database, and a stand-in for the
# PAM module. There is no kernel in it: it shows the work, it does not boot.
# Needs mke2fs, sgdisk, mkfs.vfat, mtools and qemu-img; no root.
set -euo pipefail
out=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
export SOURCE_DATE_EPOCH=1750000000 E2FSPROGS_FAKE_TIME=1750000000

put() { # PATH [MODE]: standard input becomes the file
  mkdir -p "$root$(dirname "$1")"
  cat >"$root$1"
  chmod "${2:-644}" "$root$1"
}

mkdir -p "$root"/{boot/efi,dev,proc,sys,run,tmp,srv,opt,root,home,mnt,media,var/log,usr/bin,usr/sbin,usr/share/zoneinfo} \
  "$root"/usr/lib/{systemd/system,modules/6.1.0-0-cloud-amd64,x86_64-linux-gnu/security} \
  "$root"/etc/{systemd/system,ssh/sshd_config.d,skel,update-motd.d,sudoers.d,cloud/cloud.cfg.d} "$root"/var/lib/dpkg/info
chmod 1777 "$root/tmp"
for name in bin sbin lib; do ln -s "usr/$name" "$root/$name"; done
mkdir -p "$root/usr/lib64" && ln -s usr/lib64 "$root/lib64"

put /usr/lib/os-release <<'F'
PRETTY_NAME="Hardtack sample (Debian-like)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION_CODENAME=bookworm
ID=debian
F
ln -s ../usr/lib/os-release "$root/etc/os-release"
put /etc/debian_version <<<12.11
put /etc/hostname <<<sample
put /etc/passwd <<'F'
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
sshd:x:105:65534::/run/sshd:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
F
put /etc/group <<'F'
root:x:0:
daemon:x:1:
adm:x:4:
sudo:x:27:
shadow:x:42:
nogroup:x:65534:
F
put /etc/shadow 640 <<'F'
root:*:19000:0:99999:7:::
daemon:*:19000:0:99999:7:::
sshd:!:19000::::::
nobody:*:19000:0:99999:7:::
F
put /etc/gshadow 640 <<'F'
root:*::
daemon:*::
adm:*::
sudo:*::
shadow:*::
nogroup:*::
F
put /etc/skel/.profile <<<'# ~/.profile'
put /etc/fstab <<'F'
PARTUUID=6f2a6f52-0000-4000-8000-000000000001 / ext4 rw,discard,errors=remount-ro 0 1
PARTUUID=6f2a6f52-0000-4000-8000-00000000000f /boot/efi vfat umask=0077 0 0
F
put /etc/motd <<<'A sample image.'
put /etc/sysctl.conf <<<'# kernel parameters'
put /etc/default/grub <<'F'
GRUB_DEFAULT=0
GRUB_TIMEOUT=5
F
put /etc/update-motd.d/10-uname 755 <<<'#!/bin/sh'
put /etc/ssh/sshd_config <<'F'
Include /etc/ssh/sshd_config.d/*.conf
KbdInteractiveAuthentication no
UsePAM yes
X11Forwarding yes
PrintMotd no
AcceptEnv LANG LC_*
Subsystem	sftp	/usr/lib/openssh/sftp-server
F
put /etc/pam.d/sshd <<'F'
# PAM configuration for the Secure Shell service
@include common-auth
account    required     pam_nologin.so
@include common-account
session    optional     pam_motd.so noupdate
@include common-session
@include common-password
F
put /etc/pam.d/login <<'F'
auth       optional   pam_faildelay.so  delay=3000000
auth       requisite  pam_nologin.so
@include common-auth
auth       optional   pam_group.so
session    required   pam_limits.so
@include common-account
@include common-session
@include common-password
F
for service in su sudo; do
  printf '@include common-auth\n@include common-account\n@include common-session\n' | put /etc/pam.d/$service
done
put /etc/pam.d/common-auth <<'F'
# here are the per-package modules (the "Primary" block)
auth	[success=1 default=ignore]	pam_unix.so nullok
# here's the fallback if no module succeeds
auth	requisite			pam_deny.so
auth	required			pam_permit.so
# and here are more per-package modules (the "Additional" block)
# end of pam-auth-update config
F
put /etc/pam.d/common-account <<<'account	required	pam_permit.so'
put /etc/pam.d/common-session <<<'session	required	pam_unix.so'
put /etc/pam.d/common-password <<<'password	required	pam_unix.so yescrypt'
put /etc/cloud/cloud.cfg <<'F'
users:
  - default
disable_root: true
system_info:
  distro: debian
  default_user:
    name: debian
    lock_passwd: true
    gecos: Debian
    groups: [adm, sudo]
    sudo: ["ALL=(ALL) NOPASSWD:ALL"]
    shell: /bin/bash
F
put /usr/bin/cloud-init 755 <<<'#!/bin/sh'
put /usr/share/zoneinfo/UTC <<<TZif2
put /usr/bin/bash 755 <<<'#!/bin/sh'
ln -s bash "$root/usr/bin/sh"
put /usr/sbin/sshd 755 <<<'stand-in'
put /usr/lib/x86_64-linux-gnu/security/pam_google_authenticator.so <<<'a stand-in for the real PAM module'
put /usr/lib/systemd/system/ssh.service <<<'[Service]'
put /usr/lib/systemd/systemd 755 <<<'stand-in'
stanza() { # PACKAGE VERSION [LINES]
  printf 'Package: %s\nStatus: install ok installed\nArchitecture: amd64\nVersion: %s\nMaintainer: sample\nDescription: sample\n\n' "$1" "$2"
}
{
  stanza libc6 2.36-9+deb12u10
  stanza openssh-server 1:9.2p1-2+deb12u5
  stanza cloud-init 22.4.2-1
  stanza systemd 252.36-1~deb12u1
  stanza libpam-google-authenticator 20191231-2
} | put /var/lib/dpkg/status
put /var/lib/dpkg/arch <<<amd64
for package in libc6 openssh-server cloud-init systemd libpam-google-authenticator; do put /var/lib/dpkg/info/$package.list </dev/null; done

disk=$work/disk.raw
truncate -s 64M "$disk"
sgdisk -o -a 1 -U 6f2a6f52-0000-4000-8000-0000000000d1 \
  -n 14:2048:8191 -t 14:ef02 -u 14:6f2a6f52-0000-4000-8000-00000000000e \
  -n 15:8192:16383 -t 15:ef00 -u 15:6f2a6f52-0000-4000-8000-00000000000f \
  -n 1:16384:0 -t 1:8303 -u 1:6f2a6f52-0000-4000-8000-000000000001 "$disk" >/dev/null
truncate -s 4M "$work/esp"
mkfs.vfat -F 12 -n UEFI -i 5e5e0015 --invariant "$work/esp" >/dev/null
mmd -i "$work/esp" ::/EFI ::/EFI/BOOT
truncate -s $((64 - 9))M "$work/fs"
truncate -s $(((64 * 2048 - 16384 - 34) / 8 * 4096)) "$work/fs"
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
fakeroot=$(command -v fakeroot || true)
$fakeroot bash -c "chown -hR 0:0 '$root'; chgrp 42 '$root/etc/shadow' '$root/etc/gshadow'; \
  mke2fs -q -F -t ext4 -J size=1 -U 6f2a6f52-0000-4000-8000-0000000000f1 \
  -E hash_seed=6f2a6f52-0000-4000-8000-0000000000f2 -d '$root' '$work/fs'"
dd if="$work/esp" of="$disk" bs=1M seek=4 conv=notrunc,sparse status=none
dd if="$work/fs" of="$disk" bs=1M seek=8 conv=notrunc,sparse status=none
qemu-img convert -q -c -O qcow2 "$disk" "$work/sample.qcow2"
mv "$work/sample.qcow2" "$out"
