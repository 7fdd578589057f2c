# hardtack: finds the overlay's disk, keeps what lies on it, and does what the recipe says where there is no overlay.
#
# overlayroot's script sources this twice (dracut's hooks: see below). The first time everything of ours happens: the disk is looked for, the
# script runs again as a child, and what came of it is looked at. The second time, in the child, it stands between
# the script and the programs that erase. It needs a shell with functions (klibc's dash, busybox), and sysfs.

# In front of /sys, /proc, /dev and /run; for tests.
hardtack_top=
hardtack_conf="${rootmnt}/etc/hardtack/overlay.conf"
hardtack_agent="${rootmnt}/usr/lib/hardtack/hardtack-agent"
# Why there is no overlay, in one line; the agent prints it.
hardtack_note="$hardtack_top/run/initramfs/hardtack-overlay"
# Begins the UUID of each disk that was encrypted with a random key: whatever it holds can never be read again.
hardtack_mark=68617264-7461

hardtack_say() {
	{ echo "<3>hardtack: overlay: $*" > "$hardtack_top/dev/kmsg"; } 2>/dev/null || echo "hardtack: overlay: $*"
}

# Notes why, and is false.
hardtack_refuse() {
	mkdir -p "${hardtack_note%/*}"
	echo "$*" > "$hardtack_note"
	hardtack_say "$*"
	return 1
}

# hardtack_setting NAME: its value in the configuration.
hardtack_setting() {
	local line
	hardtack_value=
	while read -r line; do
		case "$line" in
		"$1="*) hardtack_value="${line#*=}" ;;
		esac
	done < "$hardtack_conf"
}

# A program as a file: there are functions of the same name below.
hardtack_program() {
	local directory
	for directory in /usr/sbin /usr/bin /sbin /bin; do
		if [ -x "$directory/$1" ]; then
			hardtack_path="$directory/$1"
			return 0
		fi
	done
	return 1
}

# The first line of a file of sysfs, without blanks around it.
hardtack_line() {
	hardtack_value=
	[ -r "$1" ] || return 1
	read -r hardtack_value < "$1" || [ -n "$hardtack_value" ]
}

# What the kernel calls the disk that a path leads to: /dev/disk/by-id/x, /dev/mapper/x.
hardtack_kernel_name() {
	local path block
	path="$(readlink -f "$1" 2>/dev/null)" || path=
	[ -n "$path" ] || path="$1"
	hardtack_name="${path##*/}"
	[ ! -e "$hardtack_top/sys/class/block/$hardtack_name" ] || return 0
	for block in "$hardtack_top"/sys/class/block/dm-*; do
		if hardtack_line "$block/dm/name" && [ "$hardtack_value" = "$hardtack_name" ]; then
			hardtack_name="${block##*/}"
			return 0
		fi
	done
	return 1
}

# Adds a disk and all below it: a partition's disk, what a mapping or an array is made of.
hardtack_add_below() {
	local name="$1" slave whole
	case " $hardtack_root " in
	*" $name "*) return 0 ;;
	esac
	hardtack_root="$hardtack_root $name"
	if [ -e "$hardtack_top/sys/class/block/$name/partition" ]; then
		whole="$(readlink -f "$hardtack_top/sys/class/block/$name")"
		whole="${whole%/*}"
		hardtack_add_below "${whole##*/}"
	fi
	for slave in "$hardtack_top/sys/class/block/$name/slaves"/*; do
		[ ! -e "$slave" ] || hardtack_add_below "${slave##*/}"
	done
}

# The names of all disks and partitions that the root lies on. By the numbers, since the path that was mounted may
# be gone; file systems with numbers of their own (btrfs) name a path.
hardtack_look_at_root() {
	local one two numbers within point rest link
	hardtack_root=
	while read -r one two numbers within point rest; do
		[ "$point" = "$rootmnt" ] || [ "$point" = "$rootmnt/usr" ] || continue
		if [ -e "$hardtack_top/sys/dev/block/$numbers" ]; then
			link="$(readlink -f "$hardtack_top/sys/dev/block/$numbers")"
			hardtack_add_below "${link##*/}"
		else
			rest="${rest#*- }"
			rest="${rest#* }"
			rest="${rest%% *}"
			! hardtack_kernel_name "$hardtack_top$rest" || hardtack_add_below "$hardtack_name"
		fi
	done < "$hardtack_top/proc/self/mountinfo"
}

# Whether the root lies on a disk.
hardtack_is_root() {
	case " $hardtack_root " in
	*" $1 "*) return 0 ;;
	esac
	return 1
}

# hardtack_same_serial HAVE WANT NAME: EBS writes vol0123 in the disk and vol-0123 everywhere else, and virtio cuts
# off what is longer than 20 letters.
hardtack_same_serial() {
	local have="$1" want="$2"
	[ -n "$have" ] || return 1
	if [ "${#have}" -eq 20 ]; then
		case "$3,$want" in
		vd*",$have"*) return 0 ;;
		esac
	fi
	case "$have" in
	vol-*) have="vol${have#vol-}" ;;
	esac
	case "$want" in
	vol-*) want="vol${want#vol-}" ;;
	esac
	[ "$have" = "$want" ]
}

# Each whole disk that there is a device of: calls the function $1 with its name.
hardtack_each_disk() {
	local block name
	for block in "$hardtack_top"/sys/block/*; do
		name="${block##*/}"
		case "$name" in
		loop* | ram* | zram* | dm-* | md* | sr* | fd*) continue ;;
		esac
		[ ! -e "$hardtack_top/dev/$name" ] || "$1" "$name"
	done
}

hardtack_try_serial() {
	hardtack_line "$hardtack_top/sys/block/$1/device/serial" ||
		hardtack_line "$hardtack_top/sys/block/$1/serial" || return 0
	! hardtack_same_serial "$hardtack_value" "$hardtack_wanted" "$1" || hardtack_found="$hardtack_found $1"
}

# What the vendor's bytes of an NVMe disk say: /dev/sdf, sdf, ephemeral0:sdb.
hardtack_vendor_name() {
	hardtack_value="$("$hardtack_agent" nvme-name "$hardtack_top/dev/$1" 2>/dev/null)" || hardtack_value=
}

hardtack_try_ebs() {
	hardtack_line "$hardtack_top/sys/block/$1/device/model" || return 0
	[ "$hardtack_value" = "Amazon Elastic Block Store" ] || return 0
	hardtack_nitro=yes
	hardtack_vendor_name "$1"
	hardtack_letters "$hardtack_value"
	[ "$hardtack_value" != "$hardtack_wanted" ] || hardtack_found="$hardtack_found $1"
}

# f of /dev/sdf, sdf, xvdf.
hardtack_letters() {
	hardtack_value="${1#/dev/}"
	case "$hardtack_value" in
	xvd*) hardtack_value="${hardtack_value#xvd}" ;;
	sd*) hardtack_value="${hardtack_value#sd}" ;;
	esac
}

hardtack_try_ephemeral() {
	hardtack_line "$hardtack_top/sys/block/$1/device/model" || return 0
	[ "$hardtack_value" = "Amazon EC2 NVMe Instance Storage" ] || return 0
	hardtack_nitro=yes
	hardtack_vendor_name "$1"
	case "$hardtack_value" in
	"ephemeral$hardtack_wanted:"* | "ephemeral$hardtack_wanted") hardtack_found="$hardtack_found $1" ;;
	esac
	case "$hardtack_value" in
	ephemeral[0-9]*) hardtack_numbered=yes ;;
	esac
	hardtack_line "$hardtack_top/sys/block/$1/device/serial" || hardtack_value=
	hardtack_stores="$hardtack_stores $hardtack_value/$1"
}

# Without numbers of the vendor's: in the order of their serial numbers, which is the same at each boot.
hardtack_nth_store() {
	local left="$1" last= least store
	while [ "$left" -ge 0 ]; do
		least=
		for store in $hardtack_stores; do
			if [ -z "$last" ] || [ "$store" \> "$last" ]; then
				if [ -z "$least" ] || [ "$store" \< "$least" ]; then
					least="$store"
				fi
			fi
		done
		[ -n "$least" ] || return 0
		last="$least"
		left=$((left - 1))
	done
	hardtack_found="${least##*/}"
}

# The names that clouds give on Xen and under virtio, where the order is theirs.
hardtack_by_name() {
	local prefix
	for prefix in xvd vd; do
		if [ -e "$hardtack_top/dev/$prefix$1" ]; then
			hardtack_found="$prefix$1"
			return 0
		fi
	done
}

# One look for the disk; hardtack_found is empty where it is not there.
hardtack_look() {
	hardtack_found=
	hardtack_nitro=
	hardtack_numbered=
	hardtack_stores=
	hardtack_wanted="${hardtack_find#* }"
	case "$hardtack_find" in
	"serial "*) hardtack_each_disk hardtack_try_serial ;;
	"ebs "*)
		hardtack_letters "$hardtack_wanted"
		hardtack_wanted="$hardtack_value"
		hardtack_each_disk hardtack_try_ebs
		[ -n "$hardtack_nitro" ] || hardtack_by_name "$hardtack_wanted"
		;;
	"ephemeral "*)
		hardtack_each_disk hardtack_try_ephemeral
		if [ -z "$hardtack_nitro" ]; then
			set -- b c d e f g h i j k l m n o p q r s t u v w x y z
			[ "$hardtack_wanted" -ge "$#" ] || { shift "$hardtack_wanted" && hardtack_by_name "$1"; }
		elif [ -z "$hardtack_found" ] && [ -z "$hardtack_numbered" ]; then
			hardtack_nth_store "$hardtack_wanted"
		fi
		;;
	esac
	hardtack_found="${hardtack_found# }"
}

# Looks until the disk is there or the time is over. A disk that answers late must not change which one is taken: the
# same is to be found twice.
hardtack_find_disk() {
	local left before= seconds
	hardtack_setting timeout
	seconds="${hardtack_value:-0}"
	left="$seconds"
	! hardtack_program udevadm || "$hardtack_path" settle --timeout=10 2>/dev/null || :
	while :; do
		hardtack_look
		case "$hardtack_found" in
		*" "*)
			hardtack_refuse "several disks are meant by $hardtack_find: $hardtack_found"
			return 1
			;;
		?*)
			case "$hardtack_find" in
			"ephemeral "*) [ "$hardtack_found" != "$before" ] || break ;;
			*) break ;;
			esac
			;;
		esac
		if [ "$left" -le 0 ] && [ -z "$hardtack_found" ]; then
			hardtack_refuse "no disk is $hardtack_find after $seconds s"
			return 1
		fi
		before="$hardtack_found"
		left=$((left - 1))
		sleep 1
	done
	if hardtack_is_root "$hardtack_found"; then
		hardtack_refuse "$hardtack_find is $hardtack_found, and the root lies on it"
		return 1
	fi
	hardtack_say "$hardtack_find is /dev/$hardtack_found"
	mkdir -p "$hardtack_top/dev/hardtack"
	ln -s -f "/dev/$hardtack_found" "$hardtack_top/dev/hardtack/overlay"
}

# hardtack_may_erase DISK
hardtack_may_erase() {
	local seen one two three rest kind kinds= foreign= uuid
	hardtack_kernel_name "$1" || { hardtack_refuse "$1: no such disk"; return 1; }
	hardtack_look_at_root
	if hardtack_is_root "$hardtack_name"; then
		hardtack_refuse "$1 is never erased: the root lies on it ($hardtack_name)"
		return 1
	fi
	hardtack_setting wipe
	[ "$hardtack_value" != 1 ] || return 0
	hardtack_program wipefs && seen="$("$hardtack_path" "$1" 2>/dev/null)" || {
		hardtack_refuse "/dev/$hardtack_name cannot be looked at, so it is not erased"
		return 1
	}
	[ -n "$seen" ] || return 0
	# "vdb 0x438 ext4 …", before util-linux 2.33 "0x438 ext4 [filesystem]".
	while read -r one two three rest; do
		case "$one,$two" in
		0x*) kind="$two" ;;
		*,0x*) kind="$three" ;;
		*) continue ;;
		esac
		[ "$kind" = crypto_LUKS ] || foreign=yes
		case " $kinds " in
		*" $kind "*) ;;
		*) kinds="${kinds:+$kinds }$kind" ;;
		esac
	done <<-LINES
		$seen
	LINES
	if [ -n "$kinds" ] && [ -z "$foreign" ] && hardtack_program cryptsetup; then
		uuid="$("$hardtack_path" luksUUID "$1" 2>/dev/null)" || uuid=
		case "$uuid" in
		"$hardtack_mark-"*) return 0 ;;
		esac
	fi
	hardtack_refuse "/dev/$hardtack_name holds something already (${kinds:-unknown}), and the recipe does not say wipe: true"
}

# In the child: the script asks before it erases, and marks what it makes.
wipefs() {
	case "$1" in
	-a | --all) hardtack_may_erase "$2" || return 1 ;;
	esac
	hardtack_program wipefs || return 127
	"$hardtack_path" "$@"
}

cryptsetup() {
	local uuid
	hardtack_setting key
	hardtack_program cryptsetup || return 127
	if [ "$1" = isLuks ] && [ "$hardtack_value" = random ]; then
		# dracut's module would ask at the console for a passphrase that there is not.
		return 1
	fi
	if [ "$1" = luksFormat ] && [ "$hardtack_value" = random ]; then
		shift
		read -r uuid < /proc/sys/kernel/random/uuid
		"$hardtack_path" luksFormat --uuid "$hardtack_mark-${uuid#*-*-}" "$@"
	else
		"$hardtack_path" "$@"
	fi
}

# Whether the root is an overlay, and where that was asked for, above an encrypted disk.
hardtack_is_in_force() {
	local source point type rest top= below=
	while read -r source point type rest; do
		case "$point" in
		"$rootmnt") top="$type" ;;
		"$rootmnt/media/root-rw" | /run/overlayfs-backing) below="$source" ;;
		esac
	done < "$hardtack_top/proc/mounts"
	case "$top" in
	overlay | overlayfs | aufs) ;;
	*) return 1 ;;
	esac
	hardtack_setting mode
	[ "$hardtack_value" = crypt ] || return 0
	hardtack_kernel_name "$hardtack_top$below" || return 1
	hardtack_line "$hardtack_top/sys/class/block/$hardtack_name/dm/uuid" || return 1
	case "$hardtack_value" in
	CRYPT-*) return 0 ;;
	esac
	return 1
}

# What the recipe says of a boot without the overlay. Halting gives nobody a shell.
hardtack_without() {
	[ -s "$hardtack_note" ] || hardtack_refuse "nothing has made the overlay; the console says more above" || :
	hardtack_setting on_failure
	if [ "$hardtack_value" = halt ]; then
		trap '' INT QUIT TSTP
		hardtack_say "The recipe says on_failure: halt. The boot ends here, and nothing was started."
		while :; do
			sleep 3600 || :
		done
	fi
	hardtack_say "the boot goes on without the overlay (on_failure: ${hardtack_value:-not set})"
}

# Whether the root lies elsewhere than on the disk that the recipe names.
hardtack_is_free() {
	hardtack_setting dev
	case "$hardtack_value" in
	LABEL=*) hardtack_value="/dev/disk/by-label/${hardtack_value#LABEL=}" ;;
	UUID=*) hardtack_value="/dev/disk/by-uuid/${hardtack_value#UUID=}" ;;
	esac
	# A disk that is not there yet cannot have the root on it.
	[ -n "$hardtack_value" ] && hardtack_kernel_name "$hardtack_top$hardtack_value" || return 0
	! hardtack_is_root "$hardtack_name" || hardtack_refuse "the root lies on the disk for the overlay ($hardtack_name)"
}

# The whole of it, around the script "$0".
hardtack_around() {
	local words
	words="$(cat "$hardtack_top/proc/cmdline" 2>/dev/null)"
	case " $words " in
	*" overlayroot=disabled "*)
		# Somebody at the boot loader wants it so.
		hardtack_refuse "the kernel's command line says overlayroot=disabled" || :
		return 0
		;;
	esac
	hardtack_look_at_root
	hardtack_setting find
	hardtack_find="$hardtack_value"
	if [ -n "$hardtack_find" ]; then
		hardtack_find_disk || { hardtack_without; return 0; }
	fi
	if hardtack_is_free; then
		HARDTACK_OVERLAY=inside /bin/sh "$0" "$@" || :
		! hardtack_is_in_force || return 0
	fi
	hardtack_without
}

# dracut sources its hooks in one shell: this one in front of its module's, the other behind the overlay's.
hardtack_dracut_before() {
	local left
	hardtack_look_at_root
	hardtack_setting find
	hardtack_find="$hardtack_value"
	if [ -n "$hardtack_find" ]; then
		hardtack_find_disk
		return
	fi
	hardtack_setting timeout
	left="${hardtack_value:-0}"
	hardtack_setting dev
	while [ ! -e "$hardtack_value" ] && [ "$left" -gt 0 ]; do
		left=$((left - 1))
		sleep 1
	done
	[ -e "$hardtack_value" ] || hardtack_refuse "$hardtack_value is not there"
}

hardtack_dracut_after() {
	hardtack_is_in_force || hardtack_without
}

if [ -r "$hardtack_conf" ] && [ "${HARDTACK_OVERLAY:-}" != inside ]; then
	hardtack_around "$@"
	exit 0
fi
if [ ! -r "$hardtack_conf" ]; then
	# An image whose recipe has no such step any more.
	unset -f wipefs cryptsetup
fi
