//! Partition tables: GPT, MBR, and disks without one.
#![forbid(unsafe_code)]
