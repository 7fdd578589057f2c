#!/bin/bash
# Makes the base images of the fuzz targets again: bases/make.sh (as root: the kernel mounts some).
# e2fsprogs, dosfstools, mtools, gdisk, fdisk, qemu-utils, rpm, cpio, bzip2, xz-utils, zstd.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin LC_ALL=C TZ=UTC
export SOURCE_DATE_EPOCH=1700000000 E2FSPROGS_FAKE_TIME=1700000000
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'umount -q "$work/mount" || true; rm -rf "$work"' EXIT
cd "$work"

keep() { # FILE [NAME]
    zstd -q -19 -f "$1" -o "$here/${2:-$1}.zst"
}

# --- ext4: a little of everything.
tree() {
    rm -rf tree; mkdir -p tree/etc tree/many tree/usr/lib
    echo welcome > tree/etc/motd
    for _ in 1 2 3 4 5 6 7 8 9; do echo 'root:*:19000:0:99999:7:::'; done > tree/etc/shadow
    ln tree/etc/shadow tree/etc/shadow-
    ln -s ../etc/motd tree/etc/fast-link
    ln -s "/$(printf 'long/%.0s' {1..20})" tree/etc/slow-link
    printf 'ID=debian\n' > tree/usr/lib/os-release
    for index in $(seq 100 160); do echo "$index" > "tree/many/an-entry-with-quite-a-long-name-$index"; done
    head -c 40000 /dev/zero | tr '\0' z > tree/big
    truncate -s 300000 tree/sparse
    for at in 0 9000 60000 290000; do
        printf sparse | dd of=tree/sparse bs=1 seek=$at conv=notrunc status=none
    done
}
tree
head -c 500 /dev/zero | tr '\0' x > long-value
uuid=6b8a1d4e-0f7c-4d51-9a3e-2f1c5b7d9e80
format() { # NAME KIB ARGUMENTS
    local name=$1 size=$2; shift 2
    rm -f "$name"; truncate -s "${size}K" "$name"
    mke2fs -q -F -U $uuid -L cloudimg-rootfs -d tree -E hash_seed=$uuid,root_owner=0:0 -m 1 "$@" "$name"
    debugfs -w -f - "$name" > /dev/null 2>&1 << 'COMMANDS'
ea_set /etc/shadow security.selinux system_u:object_r:shadow_t:s0
ea_set -f long-value /etc/shadow user.long
ea_set /many user.inline value
COMMANDS
}
format ext4-1k 1536 -t ext4 -b 1024 -g 512 -N 160 -O ^has_journal,^metadata_csum,^uninit_bg,^64bit,^resize_inode
format ext4-1k-csum 1536 -t ext4 -b 1024 -N 160 -O ^has_journal,metadata_csum,64bit,^resize_inode
format ext4-4k-inline 2048 -t ext4 -b 4096 -N 160 -O ^has_journal,^metadata_csum,^uninit_bg,inline_data,ea_inode,^resize_inode
format ext3-1k 1536 -t ext3 -b 1024 -N 160 -O ^has_journal,dir_index
format ext2-128 1024 -t ext2 -b 1024 -N 160 -I 128 -O ^dir_index
format ext4-csum-all 2048 -t ext4 -b 1024 -N 160 -O ^has_journal,metadata_csum,metadata_csum_seed,64bit,inline_data,ea_inode,large_dir,sparse_super2,huge_file
format ext4-meta-bg 2048 -t ext4 -b 1024 -g 256 -N 160 -O ^has_journal,^metadata_csum,^uninit_bg,meta_bg,^resize_inode,64bit
format ext4-uninit 2048 -t ext4 -b 1024 -g 512 -N 160 -O ^has_journal,^metadata_csum,uninit_bg,flex_bg
for name in ext4-1k ext4-1k-csum ext4-4k-inline ext3-1k ext2-128 ext4-csum-all ext4-meta-bg ext4-uninit; do
    keep $name
done

# --- ext4, copied while the kernel has it mounted.
unclean() { # NAME MOUNT-OPTIONS ARGUMENTS
    local name=$1 options=$2; shift 2
    format "$name" 3072 "$@"
    mkdir -p mount; mount -o "loop$options" "$name" mount
    for round in 0 1 2; do
        mkdir "mount/dir-$round"
        for index in $(seq 10 22); do echo "$round $index" > "mount/dir-$round/file-$index"; done
        head -c 3000 /dev/zero | tr '\0' "$round" > "mount/dir-$round/content"
        printf '\300\073\071\230%.0s' {1..300} > "mount/dir-$round/magic"
        sync -f mount
    done
    rm -r mount/dir-1; sync -f mount
    head -c 30000 /dev/zero | tr '\0' r > mount/reuser; sync -f mount
    mv mount/dir-2/content mount/dir-0/moved
    exec 8<> mount/gone-1 9<> mount/gone-2
    head -c 9000 /dev/zero | tr '\0' g >&8; echo gone >&9
    rm mount/gone-1 mount/gone-2
    sync -f mount
    cp --sparse=always "$name" copy
    exec 8>&- 9>&-
    umount mount
    keep copy "$name"
}
unclean journal-1k "" -t ext4 -b 1024 -N 256 -J size=1 -O ^metadata_csum,^uninit_bg,^64bit,^orphan_file,^resize_inode
unclean journal-csum "" -t ext4 -b 1024 -N 256 -J size=1 -O metadata_csum,64bit,^orphan_file,^resize_inode
unclean journal-ext3 "" -t ext3 -b 1024 -N 256 -J size=1 -O ^resize_inode
unclean journal-orphans "" -t ext4 -b 1024 -N 256 -J size=1 -O ^metadata_csum,orphan_file,^resize_inode
unclean journal-data ,data=journal -t ext4 -b 1024 -N 256 -J size=1 -O ^metadata_csum,64bit,^resize_inode
# --- and a log by debugfs, with a revoke and 64-bit tags.
format journal-debugfs 3072 -t ext4 -b 1024 -N 256 -J size=1 -O ^metadata_csum,64bit,^resize_inode
head -c 4096 /dev/zero | tr '\0' J > blocks
debugfs -w -f - journal-debugfs > /dev/null << 'COMMANDS'
jo
jw -b 2500,2501,2502,2503 blocks
jc
jo
jw -r 2501,2600
jc
COMMANDS
keep journal-debugfs

# --- partitions.
table() { truncate -s "$2" "$1"; sgdisk -U $uuid "${@:3}" "$1" > /dev/null; }
table disk-gpt 2M -n 1:300:3000 -t 1:8304 -c 1:root -n 14:34:100 -t 14:ef02 -n 15:101:299 -t 15:ef00 \
    -u 1:$uuid -u 14:$uuid -u 15:$uuid
table disk-gpt-hybrid 2M -n 1:300:3000 -n 2:34:299 -h 1:EE -u 1:$uuid -u 2:$uuid
truncate -s 2M disk-mbr disk-mbr-logical disk-none
sfdisk -q disk-mbr << 'TABLE'
label: dos
label-id: 0x12345678
1: start=64, size=600, type=83, bootable
2: start=700, size=2000, type=ef
TABLE
sfdisk -q disk-mbr-logical << 'TABLE'
label: dos
label-id: 0x12345678
1: start=64, size=64, type=83
2: start=256, type=5
5: start=300, size=64, type=83
6: start=600, size=64, type=83
7: start=800, size=1000, type=83
TABLE
dd if=ext4-1k-csum of=disk-mbr-logical bs=512 seek=800 count=100 conv=notrunc status=none
truncate -s 1M none-fat; mkfs.vfat -F 12 -i 12345678 -n LABEL none-fat > /dev/null
dd if=none-fat of=disk-gpt bs=512 seek=101 count=150 conv=notrunc status=none
printf 'XFSB' | dd of=disk-gpt-hybrid bs=512 seek=300 conv=notrunc status=none
printf '_BHRfS_M' | dd of=disk-none bs=1 seek=65600 conv=notrunc status=none
printf 'LABELONE' | dd of=disk-none bs=1 seek=512 conv=notrunc status=none
# Sectors of 4096 bytes: sgdisk asks the device, so it gets one.
truncate -s 2M disk-gpt-4096
loop=$(losetup -f --show -b 4096 disk-gpt-4096)
sgdisk -U $uuid -n 1:100:400 -n 3:10:99 -u 1:$uuid -u 3:$uuid "$loop" > /dev/null; losetup -d "$loop"
for name in disk-gpt disk-gpt-hybrid disk-gpt-4096 disk-mbr disk-mbr-logical disk-none; do keep $name; done

# --- FAT: a root on partition 1 whose fstab mounts the EFI system partition, which lies at 1 MiB.
esp() { # BITS MIB FROM-SECTORS
    local bits=$1 mib=$2
    rm -f esp; truncate -s "${mib}M" esp
    mkfs.vfat -F "$bits" -s 1 -i 12345678 -n ESP esp > /dev/null
    export MTOOLS_SKIP_CHECK=1
    mmd -i esp ::EFI ::EFI/BOOT ::EFI/debian ::EFI/deep ::EFI/deep/er
    mcopy -i esp long-value ::EFI/BOOT/BOOTX64.EFI
    mcopy -i esp tree/etc/shadow ::EFI/debian/grub.cfg
    mcopy -i esp tree/etc/shadow "::EFI/debian/long file name to remove.txt"
    mcopy -i esp tree/big ::EFI/debian/shimx64.efi
    mcopy -i esp tree/etc/motd "::EFI/deep/er/another long name.txt"
    rm -rf root; mkdir -p root/etc root/boot/efi root/usr/lib
    printf 'ID=debian\nVERSION_ID=12\n' > root/usr/lib/os-release
    printf '/dev/vda1 / ext4 defaults 0 1\n/dev/vda15 /boot/efi vfat defaults 0 0\n' > root/etc/fstab
    rm -f root.img; truncate -s 512K root.img
    mke2fs -q -F -t ext4 -b 1024 -N 32 -O ^has_journal,^resize_inode -U $uuid -E hash_seed=$uuid \
        -L cloudimg-rootfs -d root root.img
    local from=$((2048 + mib * 2048))
    rm -f "esp-$bits"; truncate -s "$((mib + 2))M" "esp-$bits"
    sgdisk -U $uuid -n "15:2048:$((from - 1))" -t 15:ef00 -n "1:$from:$((from + 1023))" -t 1:8304 \
        -u 1:$uuid -u 15:$uuid "esp-$bits" > /dev/null
    dd if=esp of="esp-$bits" bs=1M seek=1 conv=notrunc,sparse status=none
    dd if=root.img of="esp-$bits" bs=512 seek=$from conv=notrunc,sparse status=none
    keep "esp-$bits"
}
esp 12 1; esp 16 4; esp 32 35

# --- qcow2.
truncate -s 1M raw
dd if=ext4-1k of=raw bs=64k count=3 conv=notrunc,sparse status=none
head -c 20000 "$here/make.sh" | dd of=raw bs=1k seek=500 conv=notrunc status=none
printf end | dd of=raw bs=1 seek=1048573 conv=notrunc status=none
qcow2() { qemu-img convert -q -f raw -O qcow2 "${@:2}" raw "$1"; }
truncate -s 128K small-raw; cp raw large-raw; head -c 100k raw > small-raw; truncate -s 128K small-raw
mv small-raw raw; qcow2 qcow2-512 -c -o cluster_size=512; mv large-raw raw
qcow2 qcow2-4k-zstd -c -o cluster_size=4k,compression_type=zstd
qcow2 qcow2-64k
qcow2 qcow2-v2 -c -o compat=0.10,cluster_size=4k
qcow2 qcow2-extended -o cluster_size=16k,extended_l2=on
qcow2 qcow2-refcount -o cluster_size=4k,refcount_bits=64,lazy_refcounts=on
qcow2 qcow2-snapshot -o cluster_size=4k,refcount_bits=4
qemu-img snapshot -c before qcow2-snapshot
qemu-io -f qcow2 -c 'write -q -P 5 96k 20k' -c 'write -q -z 200k 20k' -c 'discard -q 0 8k' qcow2-snapshot > /dev/null
qcow2 qcow2-2m -c -o cluster_size=2M
for name in qcow2-512 qcow2-4k-zstd qcow2-64k qcow2-v2 qcow2-extended qcow2-refcount qcow2-snapshot qcow2-2m; do
    keep $name
done

# --- containers around a disk that can be told from other files.
truncate -s 256K disk.img
dd if=disk-mbr of=disk.img bs=512 count=1 conv=notrunc status=none
head -c 9000 "$here/make.sh" | dd of=disk.img bs=1k seek=33 conv=notrunc status=none
gzip -nk disk.img; mv disk.img.gz disk.gz
xz -k disk.img; mv disk.img.xz disk.xz
zstd -q disk.img -o disk.zst
bzip2 -k disk.img; mv disk.img.bz2 disk.bz2
echo text > readme.txt; cp qcow2-64k inner.qcow2
plain() { tar --owner=0 --group=0 --mtime=@1700000000 "$@"; }
plain -H ustar -cf disk.tar readme.txt disk.img
plain -H pax --pax-option=exthdr.name=%d/%f -cf disk.pax readme.txt \
    --transform "s,disk.img,$(printf 'a-long-folder/%.0s' {1..12})disk.img," disk.img
truncate -s 1M holes.img; dd if=disk.img of=holes.img bs=512 count=66 conv=notrunc,sparse status=none
printf x | dd of=holes.img bs=1 seek=900000 conv=notrunc status=none
plain -H gnu -S -cf disk.sparse readme.txt holes.img
plain -H gnu -czf disk.tgz readme.txt inner.qcow2
printf 'readme.txt\ndisk.img\n' | cpio -o -H newc --quiet > disk.cpio
# A package as rpm's format has it: a lead, two headers without entries, gzip of cpio.
{
    printf '\355\253\356\333'; head -c 92 /dev/zero
    printf '\216\255\350\1'; head -c 12 /dev/zero
    printf '\216\255\350\1'; head -c 12 /dev/zero
    gzip -nc disk.cpio
} > disk.rpm
qemu-img convert -q -f raw -O vmdk -o subformat=streamOptimized disk.img disk.stream.vmdk
qemu-img convert -q -f raw -O vmdk disk.img disk.sparse.vmdk
qemu-img convert -q -f raw -O vpc -o force_size=on disk.img disk.dynamic.vhd
qemu-img convert -q -f raw -O vpc -o force_size=on,subformat=fixed disk.img disk.fixed.vhd
for name in disk.gz disk.xz disk.zst disk.bz2 disk.tar disk.pax disk.sparse disk.tgz disk.cpio disk.rpm \
    disk.stream.vmdk disk.sparse.vmdk disk.dynamic.vhd disk.fixed.vhd; do
    keep $name
done
ls -l "$here"/*.zst
