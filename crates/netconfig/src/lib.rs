//! cloud-init's network configuration, versions 1 and 2, and OpenStack's `network_data.json`, as the files
//! that netplan, ifupdown, systemd-networkd, NetworkManager and the sysconfig scripts read.
//!
//! * [`config`]: the configuration, whatever it was written in.
#![forbid(unsafe_code)]

mod address;
pub mod config;
pub mod ifupdown;
pub mod netplan;
pub mod networkd;
mod normalize;
pub mod py;
pub mod render;
pub mod state;
pub mod udev;
mod version2;
mod yaml_out;
