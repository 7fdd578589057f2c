//! The program that a script's first line names (execve(2), "Interpreter scripts").

use hardtack_yaml::did_you_mean;

use crate::wording::shown;

/// Folders of programs.
const FOLDERS: [&str; 6] = ["/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];

/// Programs that scripts are written for, and that are misspelt.
const PROGRAMS: [&str; 12] =
    ["sh", "bash", "dash", "ash", "zsh", "env", "perl", "python", "python3", "ruby", "node", "awk"];

/// Programs that are no misspelt ones of these.
const OTHERS: [&str; 16] = [
    "csh", "fish", "gawk", "ksh", "mawk", "mksh", "nawk", "nodejs", "php", "pypy", "python2", "rbash",
    "sash", "tcsh", "yash", "xsh",
];

/// What is wrong with the interpreter in `line`, which starts with `#!`, and what to do.
pub(crate) fn look(line: &str) -> Option<(String, String)> {
    let program = line.get(2..)?.trim_start().split([' ', '\t']).next()?;
    if program.is_empty() {
        let message = "no interpreter stands behind the `#!` of this script: the kernel does not run it";
        return Some((message.to_owned(), "write #!/bin/sh".to_owned()));
    }
    let (folder, name) = program.rsplit_once('/').unwrap_or(("", program));
    if !program.starts_with('/') {
        let message = format!(
            "{} is no absolute path: the script runs only where the current folder happens to hold that",
            shown(program)
        );
        let hint = match format!("/{folder}") {
            whole if FOLDERS.contains(&whole.as_str()) => format!("write #!{whole}/{name}"),
            _ => "write the whole path: #!/bin/sh, #!/usr/bin/env python3".to_owned(),
        };
        return Some((message, hint));
    }
    let meant = if FOLDERS.contains(&folder) {
        let plain = name.bytes().all(|byte| byte.is_ascii_alphabetic());
        let known = PROGRAMS.contains(&name) || OTHERS.contains(&name);
        let meant = did_you_mean(name, PROGRAMS).filter(|_| plain && !known)?;
        format!("{folder}/{meant}")
    } else {
        let meant = did_you_mean(folder, FOLDERS).filter(|_| PROGRAMS.contains(&name))?;
        format!("{meant}/{name}")
    };
    let message =
        format!("{} is probably no program of the instance: the script would not run", shown(program));
    Some((message, format!("did you mean {meant}?")))
}

#[cfg(test)]
mod tests {
    use super::look;

    #[test]
    fn what_is_no_program() {
        for (line, wanted) in [
            ("#!bin/bash", "write #!/bin/bash"),
            ("#!powershell", "write the whole path"),
            ("#!", "write #!/bin/sh"),
            ("#!/bin/basj", "did you mean /bin/bash?"),
            ("#!/bin/bsah -e", "did you mean /bin/bash?"),
            ("#!/usr/bin/pyhton", "did you mean /usr/bin/python?"),
            ("#!/bni/bash", "did you mean /bin/bash?"),
        ] {
            let hint = look(line).map(|(_, hint)| hint).unwrap_or_default();
            assert!(hint.starts_with(wanted), "{line}: {hint}");
        }
        for line in [
            "#!/bin/sh",
            "#! /bin/sh -e",
            "#!/usr/bin/env -S python3 -u",
            "#!/usr/sbin/nft -f",
            "#!/usr/bin/make -f",
            "#!/usr/bin/sed -f",
            "#!/usr/bin/php",
            "#!/usr/bin/lua",
            "#!/usr/bin/python3.11",
            "#!/bin/ksh",
            "#!/usr/bin/pwsh",
            "#!/usr/bin/expect",
            "#!/opt/puppet/bin/ruby",
            "#!/nix/store/x/bin/bash",
        ] {
            assert_eq!(look(line), None, "{line}");
        }
    }
}
