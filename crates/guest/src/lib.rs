//! One guest over an image: mounts, paths, users, packages, sshd, PAM, initramfs.
#![forbid(unsafe_code)]
