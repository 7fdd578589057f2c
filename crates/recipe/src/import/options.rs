//! The options of virt-customize and virt-sysprep (guestfs-tools 1.48 to 1.56), and getopt_long's way of reading them.

use super::ImportError;

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing.
    Nothing,
    /// A value.
    Value,
}

/// What an option means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// An operation of a recipe.
    Operation,
    /// How the run goes: read by the caller.
    Setting,
    /// Nothing to do here, and the reason; the words "which needs no" and the like are not repeated.
    Idle(&'static str),
    /// Not done here, and why.
    Refused(&'static str),
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub(super) struct OptionOf {
    pub(super) name: &'static str,
    pub(super) takes: Takes,
    pub(super) meaning: Meaning,
    /// virt-sysprep only.
    pub(super) sysprep: bool,
}

const fn option(name: &'static str, takes: Takes, meaning: Meaning) -> OptionOf {
    OptionOf { name, takes, meaning, sysprep: false }
}

const fn operation(name: &'static str) -> OptionOf {
    option(name, Takes::Value, Meaning::Operation)
}

const fn of_sysprep(option: OptionOf) -> OptionOf {
    OptionOf { sysprep: true, ..option }
}

const NO_MACHINE: &str = "no machine is started";
const NO_LIBVIRT: &str = "libvirt is not asked: give the disk with `-a FILE`";
const NO_WINDOWS: &str = "only guests with Linux are changed";
const NO_SUBSCRIPTION: &str =
    "Red Hat's subscription-manager needs its service: run it with `--firstboot-command`";
const NO_LUKS: &str = "encrypted disks are not opened";

/// All long options.
pub(super) const OPTIONS: &[OptionOf] = &[
    option("add", Takes::Value, Meaning::Setting),
    operation("append-line"),
    option(
        "attach",
        Takes::Value,
        Meaning::Refused("no other disk is attached: copy what is needed with `--copy-in`"),
    ),
    option("attach-format", Takes::Value, Meaning::Refused("no other disk is attached")),
    operation("chmod"),
    operation("chown"),
    option("colors", Takes::Nothing, Meaning::Idle("colours follow the terminal")),
    option("colours", Takes::Nothing, Meaning::Idle("colours follow the terminal")),
    operation("commands-from-file"),
    option("connect", Takes::Value, Meaning::Refused(NO_LIBVIRT)),
    operation("copy"),
    operation("copy-in"),
    operation("delete"),
    option("domain", Takes::Value, Meaning::Refused(NO_LIBVIRT)),
    option("debug-gc", Takes::Nothing, Meaning::Idle("it is for those who write virt-customize")),
    option("dry-run", Takes::Nothing, Meaning::Setting),
    option("dryrun", Takes::Nothing, Meaning::Setting),
    option("echo-keys", Takes::Nothing, Meaning::Refused(NO_LUKS)),
    operation("edit"),
    of_sysprep(option("enable", Takes::Value, Meaning::Setting)),
    operation("firstboot"),
    operation("firstboot-command"),
    operation("firstboot-install"),
    option("format", Takes::Value, Meaning::Setting),
    operation("hostname"),
    option("inject-blnsvr", Takes::Value, Meaning::Refused(NO_WINDOWS)),
    option("inject-qemu-ga", Takes::Value, Meaning::Refused(NO_WINDOWS)),
    option("inject-virtio-win", Takes::Value, Meaning::Refused(NO_WINDOWS)),
    operation("install"),
    of_sysprep(option("keep-user-accounts", Takes::Value, Meaning::Setting)),
    option("key", Takes::Value, Meaning::Refused(NO_LUKS)),
    option("keys-from-stdin", Takes::Nothing, Meaning::Refused(NO_LUKS)),
    operation("link"),
    of_sysprep(option("list-operations", Takes::Nothing, Meaning::Setting)),
    option("machine-readable", Takes::Nothing, Meaning::Setting),
    option("memsize", Takes::Value, Meaning::Idle(NO_MACHINE)),
    operation("mkdir"),
    of_sysprep(option("mount-options", Takes::Value, Meaning::Idle("nothing is mounted"))),
    operation("move"),
    option("network", Takes::Nothing, Meaning::Idle("an image is edited without a network")),
    option("no-logfile", Takes::Nothing, Meaning::Idle("no log is written into the image")),
    option("no-network", Takes::Nothing, Meaning::Idle("an image is edited without a network")),
    option("no-selinux-relabel", Takes::Nothing, Meaning::Idle("new files get their labels anyhow")),
    of_sysprep(option("operation", Takes::Value, Meaning::Setting)),
    of_sysprep(option("operations", Takes::Value, Meaning::Setting)),
    operation("password"),
    option("password-crypto", Takes::Value, Meaning::Setting),
    option("quiet", Takes::Nothing, Meaning::Setting),
    of_sysprep(option("remove-user-accounts", Takes::Value, Meaning::Setting)),
    operation("root-password"),
    operation("run"),
    operation("run-command"),
    of_sysprep(option(
        "script",
        Takes::Value,
        Meaning::Refused("no program runs on this host: `--run` at first boot"),
    )),
    of_sysprep(option("scriptdir", Takes::Value, Meaning::Refused("no program runs on this host"))),
    operation("scrub"),
    option("selinux-relabel", Takes::Nothing, Meaning::Operation),
    option("sm-attach", Takes::Value, Meaning::Refused(NO_SUBSCRIPTION)),
    option("sm-credentials", Takes::Value, Meaning::Refused(NO_SUBSCRIPTION)),
    option("sm-register", Takes::Nothing, Meaning::Refused(NO_SUBSCRIPTION)),
    option("sm-remove", Takes::Nothing, Meaning::Refused(NO_SUBSCRIPTION)),
    option("sm-unregister", Takes::Nothing, Meaning::Refused(NO_SUBSCRIPTION)),
    option("smp", Takes::Value, Meaning::Idle(NO_MACHINE)),
    operation("ssh-inject"),
    operation("tar-in"),
    operation("timezone"),
    operation("touch"),
    operation("truncate"),
    operation("truncate-recursive"),
    operation("uninstall"),
    option("update", Takes::Nothing, Meaning::Operation),
    operation("upload"),
    option("verbose", Takes::Nothing, Meaning::Setting),
    option("version", Takes::Nothing, Meaning::Refused("`hardtack --version` tells it")),
    option("wrap", Takes::Nothing, Meaning::Idle("lines are not broken")),
    operation("write"),
];

/// Short options and the long ones that they are.
const SHORT: &[(char, &str)] = &[
    ('a', "add"),
    ('c', "connect"),
    ('d', "domain"),
    ('m', "memsize"),
    ('n', "dry-run"),
    ('q', "quiet"),
    ('v', "verbose"),
    ('V', "version"),
    ('x', "verbose"),
];

/// One option as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) name: &'static str,
    pub(super) meaning: Meaning,
    /// Empty where it takes none.
    pub(super) value: String,
}

/// The option `name` of a command line or a file of commands; `abbreviated`: a beginning that only one has is enough.
pub(super) fn find(name: &str, sysprep: bool, abbreviated: bool) -> Result<OptionOf, ImportError> {
    let mut known = OPTIONS.iter().filter(|option| sysprep || !option.sysprep);
    if let Some(exact) = known.clone().find(|option| option.name == name) {
        return Ok(*exact);
    }
    if OPTIONS.iter().any(|option| option.name == name) {
        return Err(ImportError::new(format!("`{name}` is an option of virt-sysprep"))
            .hint("hardtack sysprep takes it"));
    }
    let begins: Vec<&OptionOf> = known.by_ref().filter(|option| option.name.starts_with(name)).collect();
    match begins[..] {
        [only] if abbreviated => Ok(*only),
        [_, _, ..] if abbreviated => {
            let names: Vec<String> = begins.iter().map(|option| format!("--{}", option.name)).collect();
            Err(ImportError::new(format!("`--{name}` is the beginning of several: {}", names.join(", "))))
        }
        _ => {
            let names = OPTIONS.iter().filter(|option| sysprep || !option.sysprep).map(|option| option.name);
            let error = ImportError::new(format!("`{name}` is no option of it"));
            Err(match hardtack_yaml::did_you_mean(name, names) {
                Some(meant) => error.hint(format!("did you mean `{meant}`?")),
                None => error,
            })
        }
    }
}

/// Reads a command line, without the program's name. Options of the caller's own go to `own`.
pub(super) fn read(
    arguments: &[String],
    sysprep: bool,
    options: &[super::Own],
    own: &mut Vec<(&'static str, String)>,
) -> Result<Vec<Given>, ImportError> {
    let mut all = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            break;
        }
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            if let Some(option) = options.iter().find(|option| option.name == name) {
                let value = match (option.has_value, value) {
                    (true, Some(value)) => value,
                    (true, None) => words
                        .next()
                        .cloned()
                        .ok_or_else(|| ImportError::new(format!("`{word}` needs a value")))?,
                    (false, None) => String::new(),
                    (false, Some(_)) => {
                        return Err(ImportError::new(format!("`--{}` takes no value", option.name)));
                    }
                };
                own.push((option.name, value));
                continue;
            }
            let option = find(name, sysprep, true)?;
            let value = match (option.takes, value) {
                (Takes::Value, Some(value)) => value,
                (Takes::Value, None) => next(&mut words, option, word)?,
                // The format of the output for programs is a choice that nobody has.
                (Takes::Nothing, Some(_)) if option.name == "machine-readable" => String::new(),
                (Takes::Nothing, Some(_)) => {
                    return Err(ImportError::new(format!("`--{}` takes no value", option.name)));
                }
                (Takes::Nothing, None) => String::new(),
            };
            all.push(Given { name: option.name, meaning: option.meaning, value });
        } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            let mut rest = letters.chars();
            while let Some(letter) = rest.next() {
                let Some((_, name)) = SHORT.iter().find(|(short, _)| *short == letter) else {
                    return Err(ImportError::new(format!("`-{letter}` is no option of it")));
                };
                let option = find(name, sysprep, false)?;
                let value = match option.takes {
                    Takes::Nothing => String::new(),
                    Takes::Value if rest.as_str().is_empty() => {
                        next(&mut words, option, &format!("-{letter}"))?
                    }
                    // All that follows in the same word.
                    Takes::Value => std::mem::replace(&mut rest, "".chars()).as_str().to_owned(),
                };
                all.push(Given { name: option.name, meaning: option.meaning, value });
            }
        } else {
            return Err(ImportError::new(format!("`{word}` belongs to no option"))
                .hint("the disk is given with `-a FILE`"));
        }
    }
    Ok(all)
}

fn next(
    words: &mut std::slice::Iter<'_, String>,
    option: OptionOf,
    shown: &str,
) -> Result<String, ImportError> {
    words.next().cloned().ok_or_else(|| {
        ImportError::new(format!("`{shown}` needs a value")).hint(format!("`--{} …`", option.name))
    })
}
