//! Names of [`Action::Live`](crate::Action::Live) that disks, packages and the end of the run use, each with
//! what it asks of the agent. Details are pairs of a name and a value, in this order; a name may come
//! several times. (Those of users, passwords, SSH and scripts stand with their modules.)

/// Makes a swap file (`config/cc_mounts.py`: `create_swapfile`).
///
/// `file`; `mib`, a number or `auto`; `most` MiB for `auto`, if there is a limit. `auto` is
/// [`crate::sizes::swap`] of the memory and of what is free where the file will be; of 0 no file is made.
/// The directory is made. On btrfs the file is first made empty, with `chattr +C`; then `fallocate -l NM`,
/// or zeros where that fails and on xfs before Linux 4.18; mode 0600; `mkswap`. When it fails, the file is
/// removed, a warning told, and the line of the file taken out of the `/etc/fstab` that follows.
pub const SWAP_FILE: &str = "swap-file";

/// Grows partitions (`config/cc_growpart.py`).
///
/// `mode`: `auto`, `growpart`, `gpart` or `growfs`; `device` for each device or mount point. Encrypted
/// devices under device mapper are grown with the key in `/cc_growpart_keydata`. With `auto`, a tool that is
/// missing is no error.
pub const GROWPART: &str = "growpart";

/// Grows the file system of `path` (`config/cc_resizefs.py`).
///
/// `path`; `in-background` where it is not waited for. By the type: `resize2fs DEVICE`, `xfs_growfs PATH`,
/// `btrfs filesystem resize max PATH`; others are left alone with a warning.
pub const RESIZEFS: &str = "resizefs";

/// Partitions a disk (`config/cc_disk_setup.py`: `mkpart`).
///
/// `device`; then of `table_type` (`mbr` when missing), `layout` (JSON: `true`, `false`, `"remove"`, or a list
/// of percentages or of `[percentage, type]`), `overwrite` (`false` when missing) those that are given. A
/// disk that has a table or a file system is left alone without `overwrite`. A failure is told, and the
/// next disk is done.
pub const DISK_SETUP: &str = "disk-setup";

/// Makes a file system (`config/cc_disk_setup.py`: `mkfs`).
///
/// `device`; then of `filesystem`, `label`, `partition` (`auto`, `any`, `none` or a number), `overwrite`,
/// `replace_fs`, `extra_opts` and `cmd` (JSON where they are lists) those that are given. A device that
/// has a file system is left alone without `overwrite`. A failure is told, and the next one is done.
pub const FS_SETUP: &str = "fs-setup";

/// Fetches an OpenPGP key for apt (`config/cc_apt_configure.py`: `add_apt_key`).
///
/// `keyid`, `keyserver`, `file`. The key is written to `file`, out of its armour, 0644. A failure fails the
/// module.
pub const APT_KEY: &str = "apt-key";

/// Refreshes snaps, unless `snap get system -d` says that `refresh.hold` is `forever`.
///
/// `run`: the command, for people.
pub const SNAP_REFRESH: &str = "snap-refresh";

/// Reboots where packages ask for it (`config/cc_package_update_upgrade_install.py`).
///
/// `if-any`: files, separated by blanks, one of which asks for it; `run`: the command. Nothing of the run
/// comes behind it.
pub const REBOOT_IF_REQUIRED: &str = "reboot-if-required";

/// Halts, powers off or reboots when the run is over (`config/cc_power_state_change.py`).
///
/// `run`: the command, for people; `timeout`: seconds that a child waits for the agent's end; `word` for each
/// word of the command; then `condition-shell` with a line for `/bin/sh -c`, or `condition-word` for each
/// word of a program, or neither. Exit status 0 of the condition says yes, 1 no, anything else no with a
/// warning.
pub const POWER_STATE: &str = "power-state";
