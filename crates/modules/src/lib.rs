//! What cloud-config means on a machine: from configuration and facts to actions, in order.
//!
//! A module (`cc_*.py` in cloud-init) reads its keys of the merged configuration, looks at the machine
//! and says what is to be done. Nothing is done here: `hardtack user-data plan` shows
//! the actions for an image that has not booted yet, and a program in the guest can carry them out.
//!
//! * [`machine`]: what modules ask about a machine, answered by a running system or by an image.
//! * [`action`]: what can be done.
//! * [`module`]: what a module is, and which there are, stage by stage.
//! * [`plan`](mod@plan): what all modules would do, in order, and what becomes of every key.
//! * [`text`]: the plan for people and for programs.
//! * [`table`]: which modules run, in which order.
//! * [`unsupported`]: keys without a module, and what to do instead.
//! * [`distro`]: which distribution a machine runs.
//! * [`reading`]: values of the configuration, and what to say about them.
//! * [`testing`]: a machine in memory, for tests.
//! * [`system`]: small facts about a machine that several modules ask for.
//! * [`hostname`]: the machine's name.
//! * [`etc_hosts`]: names in `/etc/hosts`.
//! * [`sysconfig`]: files of shell assignments.
//! * [`basic_template`]: templates of `$name`.
//! * [`mounts`]: lines of `/etc/fstab`.
//! * [`swap`]: swap files.
//! * [`sizes`]: sizes as people write them.
//! * [`devices`]: from names of disks to devices.
//! * [`power_state`]: halting, powering off or rebooting at the end.
//! * [`final_message`]: the last line on the console.
//! * [`packages`]: packages that are installed.
//! * [`yum_repos`]: repositories for yum and dnf.
//! * [`coreos`]: the dialect of coreos-cloudinit.
//! * [`commands`]: `runcmd` and `bootcmd`.
//! * [`operator_totp`]: second factors that the operator brings.
//! * [`overlay`]: a machine as it will be once some actions are carried out.
//! * [`passwords`]: passwords, and whether SSH takes them.
//! * [`pytext`]: Python's functions on text.
//! * [`scripts`]: scripts that are parts of the user-data.
//! * [`ssh`]: host keys, login keys and the server's settings.
//! * [`users`]: users and groups.
//! * [`write_files`]: files of the configuration.
//! * [`ca_certs`]: certificates of authorities.
//! * [`random_seed`]: bytes for the kernel's random pool.
//! * [`phone_home`]: telling a URL that the machine is up.
//! * [`disable_ec2_metadata`]: cutting programs off from the metadata service.
//! * [`rsyslog`]: settings of rsyslog.
//! * [`small_repos`]: repositories of Alpine and SUSE.
//! * [`ec2_metadata`]: metadata as EC2 serves it.
//! * [`disks`]: growing the root, making partitions and file systems.
//! * [`locale`]: the locale.
//! * [`timezone`]: the time zone.
//! * [`keyboard`]: the keyboard.
//! * [`ntp`]: clients of time servers.
//! * [`resolv_conf`]: the resolver.
//! * [`ssh_import_id`]: login keys from Launchpad and GitHub.
//! * [`base`]: the lowest layer of a configuration.
//! * [`apt`]: apt's sources, keys, proxies and settings.
//! * [`schedule`]: what runs, in order, on which configuration.
//! * [`live`]: what only the running machine decides, and how.
//! * [`change`]: what writing a file changes in it.
#![forbid(unsafe_code)]
// Findings are made where something is wrong, which is rare and never in a hot loop.
#![allow(clippy::result_large_err)]

pub mod action;
pub mod apt;
pub mod base;
pub mod basic_template;
pub mod ca_certs;
pub mod change;
pub mod commands;
pub mod coreos;
pub mod devices;
pub mod disable_ec2_metadata;
pub mod disks;
pub mod distro;
pub mod ec2_metadata;
pub mod etc_hosts;
pub mod final_message;
pub mod hostname;
pub mod keyboard;
pub mod live;
pub mod locale;
pub mod machine;
pub mod module;
pub mod mounts;
pub mod ntp;
pub mod operator_totp;
pub mod overlay;
pub mod packages;
pub mod passwords;
pub mod phone_home;
mod places;
pub mod plan;
pub mod power_state;
pub mod pytext;
pub mod random_seed;
pub mod reading;
pub mod resolv_conf;
pub mod rsyslog;
pub mod schedule;
pub mod scripts;
pub mod sizes;
pub mod small_repos;
pub mod ssh;
pub mod ssh_import_id;
pub mod swap;
pub mod sysconfig;
pub mod system;
pub mod table;
pub mod testing;
pub mod text;
pub mod timezone;
pub mod unsupported;
pub mod users;
pub mod write_files;
pub mod yum_repos;

pub use action::{Action, Content, Owner};
pub use machine::{Account, Distro, Facts, Machine};
pub use module::{Frequency, Module, Outcome, Request, Stage};
pub use plan::{KeyReport, KeyState, Plan, Step, plan};
