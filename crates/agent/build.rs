//! How the shipped program is linked: small. Where the linker is not rustc's own lld, it is merely larger.
#![allow(clippy::print_stdout)]

use std::env::var;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=no-unwind-tables.ld");
    let shipped = var("PROFILE").as_deref() == Ok("release") && var("OPT_LEVEL").as_deref() == Ok("z");
    let is = |name: &str, value: &str| var(format!("CARGO_CFG_TARGET_{name}")).as_deref() == Ok(value);
    if shipped && is("ARCH", "x86_64") && is("OS", "linux") && is("ENV", "gnu") {
        let script = format!("{}/no-unwind-tables.ld", var("CARGO_MANIFEST_DIR").unwrap_or_default());
        for argument in
            ["-z,pack-relative-relocs", "--icf=all", "--no-eh-frame-hdr", &format!("-T,{script}")]
        {
            println!("cargo:rustc-link-arg-bins=-Wl,{argument}");
        }
    }
}
