//! `hardtack customize` and `hardtack sysprep`.

use std::ffi::OsString;

use clap::Args;

const CUSTOMIZE: &str = "\
Examples:
  hardtack customize -a disk.qcow2 --hostname web-1 --ssh-inject root:file:id.pub
  hardtack customize -a disk.qcow2 --commands-from-file commands --plan    # what would change, as a diff
  hardtack customize -a disk.qcow2 --delete '/var/cache/*' --output new.qcow2

A command line of virt-customize changes one word. The image is replaced by a new one of the same format, which
appears whole or not at all; no root, no machine, no network. What needs the guest to run (--run, --install,
--update and the like) is done at its first boot, by the agent, and told before. What virt-customize takes
silently (no such user, nothing that matches, a mode that is read as a decimal number) is an error.

Options of our own, anywhere among the others:
  --output FILE   write another file, and leave the image as it is
  --plan          print what would change, and change nothing (-n, --dry-run: the same)
  --json          print JSON for programs
  --lenient       what is not there is passed over, as virt-customize does
  --agent PATH    the first-boot program, as for `hardtack build`
  --force         replace an existing --output
  --no-provenance write no record beside --output

`hardtack recipe import` prints the recipe that a command line is.

Exit codes: 0 done, 2 wrong usage, 3 image refused, 4 local input or output.";

const SYSPREP: &str = "\
Examples:
  hardtack sysprep -a disk.qcow2
  hardtack sysprep -a disk.qcow2 --operations defaults,-ssh-userdir --hostname template
  hardtack sysprep -a disk.qcow2 --enable machine-id,logfiles --plan
  hardtack sysprep --list-operations

A command line of virt-sysprep changes one word. Without --operations and --enable it does what virt-sysprep
does by default; a recipe's step `generalize` does more, and less harm. /etc/machine-id is never filled. Options of
virt-customize and our own (--output, --plan, --json, --lenient, --agent, --force) are those of `hardtack customize`.

Exit codes: 0 done, 2 wrong usage, 3 image refused, 4 local input or output.";

/// Take a command line of virt-customize, offline.
#[derive(Args, Debug)]
#[command(after_help = CUSTOMIZE, override_usage = "hardtack customize -a IMAGE [OPTIONS OF VIRT-CUSTOMIZE]")]
pub(crate) struct CustomizeArgs {
    /// Options of virt-customize, and our own.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_name = "OPTION")]
    pub(crate) rest: Vec<OsString>,
}

/// Take a command line of virt-sysprep, offline.
#[derive(Args, Debug)]
#[command(after_help = SYSPREP, override_usage = "hardtack sysprep -a IMAGE [OPTIONS OF VIRT-SYSPREP]")]
pub(crate) struct SysprepArgs {
    /// Options of virt-sysprep, and our own.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_name = "OPTION")]
    pub(crate) rest: Vec<OsString>,
}
