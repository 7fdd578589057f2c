//! Can the image run this agent? Its machine, its independence of libraries, the guest's kernel.
//!
//! A program of another machine, or one that needs a dynamic linker, fails at boot with a line in
//! a journal that nobody can reach any more. So it is looked at here.

use hardtack_guest::elf::Elf;

use super::STEP;
use crate::{Context, StepError};

/// What Rust's standard library needs (its platform support page, `x86_64-unknown-linux-gnu`).
const OLDEST_KERNEL: (u32, u32) = (3, 2);
/// Programs that every image has one of; only the head of each is looked at.
const PROGRAMS: [&str; 6] =
    ["/bin/sh", "/bin/bash", "/sbin/init", "/usr/lib/systemd/systemd", "/bin/busybox", "/usr/bin/dpkg"];
/// No such program is larger.
const PROGRAM_LIMIT: u64 = 64 << 20;

pub(super) fn check(program: &[u8], cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let Some(agent) = Elf::parse(program) else {
        return Err(StepError::refused(STEP, "the file given as the agent is not an ELF program")
            .hint("give the program hardtack-agent of the same build with --agent PATH"));
    };
    if let Some(interpreter) = &agent.interpreter {
        return Err(StepError::refused(
            STEP,
            format!("the agent needs {interpreter} and its libraries: it is not linked statically"),
        )
        .hint("build it with the project's own cargo configuration, which sets crt-static"));
    }
    match image(cx)? {
        Some((path, image)) if !agent.fits(&image) => {
            return Err(StepError::refused(
                STEP,
                format!(
                    "the agent is for {} and the image is for {} ({path})",
                    machine(&agent),
                    machine(&image)
                ),
            )
            .hint("build hardtack-agent for the image's architecture and name it with --agent PATH"));
        }
        Some(_) => {}
        None => {
            cx.warn(STEP, "the image's architecture is not known: no program of its own was found to compare")
        }
    }
    kernel(cx)
}

/// The first program of the image that is one.
fn image(cx: &Context<'_, '_>) -> Result<Option<(&'static str, Elf)>, StepError> {
    for path in PROGRAMS {
        // A link out of the image, a directory, a program that is too large: the next one will do.
        let Ok(Some(bytes)) = cx.stage.read_limited(path, PROGRAM_LIMIT) else {
            continue;
        };
        if let Some(elf) = Elf::parse(&bytes) {
            return Ok(Some((path, elf)));
        }
    }
    let Some(text) = cx.stage.read_text("/var/lib/dpkg/arch")? else {
        return Ok(None);
    };
    Ok(text.lines().next().and_then(of_dpkg).map(|elf| ("/var/lib/dpkg/arch", elf)))
}

/// dpkg's names for architectures that Rust's gnu target can be built for.
fn of_dpkg(name: &str) -> Option<Elf> {
    let (machine, wide, little) = match name.trim() {
        "amd64" => (62, true, true),
        "i386" => (3, false, true),
        "arm64" => (183, true, true),
        "armhf" | "armel" => (40, false, true),
        "ppc64el" => (21, true, true),
        "riscv64" => (243, true, true),
        "s390x" => (22, true, false),
        _ => return None,
    };
    Some(Elf { machine, wide, little, ..Elf::default() })
}

fn machine(elf: &Elf) -> String {
    match (elf.machine, elf.wide) {
        (62, true) => "x86-64".to_owned(),
        (62, false) => "x32".to_owned(),
        (3, _) => "i386".to_owned(),
        (183, _) => "aarch64".to_owned(),
        (40, _) => "arm".to_owned(),
        (21, _) => "ppc64".to_owned(),
        (243, _) => "riscv".to_owned(),
        (22, _) => "s390x".to_owned(),
        (number, _) => format!("ELF machine {number}"),
    }
}

/// The newest kernel is what a boot loader starts unless told otherwise.
fn kernel(cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let mut found = Vec::new();
    for (directory, prefixes) in
        [("/boot", &["vmlinuz-", "vmlinux-", "kernel-"][..]), ("/lib/modules", &[""][..])]
    {
        for entry in cx.stage.list(directory)? {
            let version = prefixes.iter().find_map(|prefix| entry.name.strip_prefix(prefix));
            if let Some((version, numbers)) = version.and_then(|name| Some((name.to_owned(), numbers(name)?)))
            {
                found.push((numbers, version));
            }
        }
        if !found.is_empty() {
            break;
        }
    }
    found.sort();
    let text = |version: &str| {
        format!(
            "the guest's kernel {version} is older than {}.{}, the oldest that the agent runs on",
            OLDEST_KERNEL.0, OLDEST_KERNEL.1
        )
    };
    match (found.first(), found.last()) {
        (_, Some((newest, version))) if *newest < OLDEST_KERNEL => {
            Err(StepError::refused(STEP, text(version)).hint("take a newer image, or a newer kernel into it"))
        }
        (Some((oldest, version)), _) if *oldest < OLDEST_KERNEL => {
            let version = version.clone();
            cx.warn(STEP, format!("{}; do not boot that one", text(&version)));
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Major and minor number of `6.1.0-56-cloud-amd64`.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_names() {
        for (name, wanted) in [
            ("6.1.0-56-cloud-amd64", Some((6, 1))),
            ("2.6.32-504.el6.x86_64", Some((2, 6))),
            ("3.13.0-24-generic", Some((3, 13))),
            ("extra", None),
            ("", None),
        ] {
            assert_eq!(numbers(name), wanted, "{name}");
        }
        assert!(numbers("3.13.0") > Some(OLDEST_KERNEL));
    }
}
