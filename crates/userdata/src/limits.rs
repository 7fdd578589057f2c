//! How much user-data is read. What goes beyond is an error, never memory.

use hardtack_yaml::Limits;

/// Bytes of user-data as the clouds hand it out. EC2 stops at 16 KiB and OpenStack at 64 KiB; a NoCloud
/// seed has no limit of its own.
pub const RAW: usize = 1 << 20;

/// Bytes of one part once gzip and transfer encodings are undone, and of everything that one
/// piece of user-data unpacks to.
pub const UNPACKED: usize = 8 << 20;

/// Parts, nested ones included.
pub const PARTS: usize = 1000;

/// Archives in archives, messages in messages, includes in includes.
pub const NESTING: usize = 10;

/// What is read of a YAML text. A mapping with one key costs 500 bytes, and as
/// much again as JSON: all of it has to fit into 64 MiB.
pub const YAML: Limits = Limits { bytes: 4 << 20, depth: 128, nodes: 100_000 };
