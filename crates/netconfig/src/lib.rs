//! cloud-init's network configuration, versions 1 and 2, and OpenStack's `network_data.json`, as the files
//! that netplan, ifupdown, systemd-networkd, NetworkManager and the sysconfig scripts read.
//!
//! * [`mod@plan`]: everything in one call: from sources and cards to files and what is done then.
//! * [`config`]: cards, files, and the words around a configuration; [`openstack`]: `network_data.json`;
//!   [`fallback`]: DHCP on the card that is most likely connected.
//! * [`state`]: what both versions are turned into, with `normalize` and `version2`.
//! * [`mod@render`]: the files of one renderer: [`netplan`], [`ifupdown`], [`networkd`], [`network_manager`],
//!   [`sysconfig`], with [`udev`]'s rules beside them.
//! * [`choose`]: which renderer the image has; [`bring_up`]: what is done once the files are there.
//! * [`info`]: the tables on the console; [`mod@proc`]: their data out of `/proc/net`.
//! * [`py`], `address`: values and addresses in Python's way.
//!
//! The real program works on unchecked values, and so does this: what Python raises on is refused with a
//! [`hardtack_userdata::Finding`], what it passes over is a warning. Nothing here reads or writes anything.
//!
//! # Other than cloud-init, on purpose
//!
//! | what | cloud-init | here |
//! |---|---|---|
//! | a configuration that is refused | the stage fails, no network | an error, and DHCP on the likeliest card |
//! | a card that the configuration names and the machine lacks | the stage fails after waiting | a warning |
//! | the lines above each file | its own words | ours |
//! | `/` in the name of a device | folders are made | refused |
//! | anchors in version 2 for netplan | written as anchors again | written out |
//! | netplan's Python library in the image | writes the file in its own form | is not asked |
//! | `00-snapd-config.yaml` of Ubuntu's snap images | removed if it is as delivered | stays |
//! | InfiniBand links in `network_data.json` | get the card's long address | are Ethernet |
//! | `%` in values for NetworkManager | refused | written |
//! | `ip=` and klibc's files of the initramfs | read | [`plan::Source::Initramfs`] is the caller's |
//! | BSD | three renderers | none |
#![forbid(unsafe_code)]

mod address;
pub mod bring_up;
pub mod choose;
pub mod config;
pub mod fallback;
pub mod ifupdown;
pub mod info;
pub mod netplan;
pub mod network_manager;
pub mod networkd;
mod normalize;
pub mod openstack;
pub mod plan;
pub mod proc;
pub mod py;
pub mod render;
pub mod state;
pub mod sysconfig;
pub mod udev;
mod version2;
