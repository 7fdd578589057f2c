//! sshd's own word: `sshd -T` prints the configuration that it would work with, for a connection that is described
//! by `-C` (sshd(8)).
//!
//! It is asked on the running machine only, where the image has it, with the options of the unit's command line. It
//! sees what our reading of the same files may have missed; a `Match` on addresses it sees for one address only, and
//! there our reading is the better one.

use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hardtack_login::sshd::{self, MAIN_FILE};
use hardtack_login::{Promise, Weakness, service};

use super::state::State;
use crate::host::Host;
use crate::login_files::LoginFiles;

const SSHD: &str = "/usr/sbin/sshd";
/// Where sshd locks itself in before a login (`--with-privsep-path`); it does nothing without.
const PRIVSEP: &str = "/run/sshd";
/// One call.
const PATIENCE: Duration = Duration::from_secs(10);
/// All of them together.
const ALL: Duration = Duration::from_secs(20);
/// So often it is looked whether anything has changed.
const LOOK: Duration = Duration::from_millis(100);
/// A fleet's recipe lists a handful.
const USERS: usize = 8;
/// What it prints has about 5 KiB.
const OUTPUT: u64 = 256 << 10;
/// Keywords whose values `-T` prints as they are written. Times, sizes and lists of algorithms it prints otherwise.
const PLAIN: [&str; 12] = [
    "authenticationmethods",
    "challengeresponseauthentication",
    "gssapiauthentication",
    "hostbasedauthentication",
    "kbdinteractiveauthentication",
    "kerberosauthentication",
    "passwordauthentication",
    "permitemptypasswords",
    "permitrootlogin",
    "pubkeyauthentication",
    "permituserenvironment",
    "usepam",
];
/// What a machine has none of yet is no weakness: sshd would not start either.
const NOT_YET: [&str; 2] = ["no hostkeys available", "could not load host key"];
/// A `Match` on something that is not described here; our own reading has judged it.
const NOT_DESCRIBED: &str = "connection test specification";

/// Asks for every user, and for one that nobody knows; no longer once `changed` says so.
pub(super) fn judge(
    host: &Host,
    promise: &Promise,
    users: &[String],
    changed: &dyn Fn() -> bool,
    state: &mut State,
) {
    if !host.is_live() || !host.exists(SSHD) {
        return;
    }
    let options = match service::started(&LoginFiles(host)) {
        Ok(started) => options(&started),
        // Told by the promise's own check.
        Err(_) => return,
    };
    if !host.exists(PRIVSEP) {
        // Where it cannot be made, sshd says so itself, and that is a weakness (`refusal`).
        let _ = std::fs::DirBuilder::new().mode(0o755).create(PRIVSEP);
        // The mask is the agent's own.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        let _ = std::fs::set_permissions(PRIVSEP, open);
    }
    let started = Instant::now();
    let named = users.iter().map(String::as_str).filter(|name| is_plain(name)).take(USERS);
    for user in named.chain(["root", "hardtack-nobody"]) {
        if started.elapsed() >= ALL {
            state.note("sshd -T was not asked for all users: it takes too long");
            return;
        }
        let mut command = Command::new(SSHD);
        command.arg("-T").args(&options).args(["-C", &specification(user)]);
        let answer = run(command, PATIENCE, changed);
        if changed() {
            state.is_stale = true;
            return;
        }
        match answer {
            Ok((true, output, _)) => {
                for weakness in differences(promise, user, &output) {
                    state.add(weakness);
                }
            }
            Ok((false, _, said)) => match refusal(&said) {
                Ok(weakness) => {
                    state.add(weakness);
                    return;
                }
                Err(note) => {
                    state.note(&note);
                    return;
                }
            },
            Err(note) => {
                state.note(&note);
                return;
            }
        }
    }
}

/// The unit's options that decide the configuration.
fn options(started: &service::Started) -> Vec<String> {
    let mut options = Vec::new();
    if started.file != MAIN_FILE {
        options.extend(["-f".to_owned(), started.file.clone()]);
    }
    for (text, _) in &started.options {
        options.extend(["-o".to_owned(), text.clone()]);
    }
    options
}

/// A connection from somewhere. Commas and equal signs separate, so a name with one cannot be asked for.
fn specification(user: &str) -> String {
    format!("user={user},host=client.invalid,addr=192.0.2.1,laddr=192.0.2.2,lport=22")
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b',' | b'='))
}

/// Where the effective configuration is not the promised one.
fn differences(promise: &Promise, user: &str, output: &str) -> Vec<Weakness> {
    let lines: Vec<(&str, &str)> = output.lines().filter_map(|line| line.trim().split_once(' ')).collect();
    let mut found = Vec::new();
    for (keyword, wanted) in &promise.sshd {
        let Some(known) = sshd::find(keyword) else { continue };
        let names = [keyword.to_ascii_lowercase(), known.name.to_ascii_lowercase()];
        if !names.iter().any(|name| PLAIN.contains(&name.as_str())) {
            continue;
        }
        let says = |name: &String| lines.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        let Some((key, value)) = names.iter().find_map(says) else { continue };
        let words: Vec<String> = value.split_whitespace().map(str::to_owned).collect();
        // What a block of the recipe's own says for some is promised too.
        let of_a_block = promise.blocks.iter().any(|line| {
            line.keyword.eq_ignore_ascii_case(keyword) && sshd::same_value(known, &words, &line.value)
        });
        if !of_a_block && !sshd::same_value(known, &words, wanted) {
            found.push(Weakness {
                what: format!(
                    "sshd -T says {key} {value} for the user {user}, and {keyword} {wanted} was promised"
                ),
                hint: "find the line in /etc/ssh or in the options of sshd's unit, and remove it".to_owned(),
                ..Weakness::default()
            });
        }
    }
    found
}

/// What it means that sshd refuses its configuration.
fn refusal(said: &str) -> Result<Weakness, String> {
    let lower = said.to_ascii_lowercase();
    let line = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("nothing");
    if lower.contains(NOT_DESCRIBED) || NOT_YET.iter().any(|text| lower.contains(text)) {
        return Err(format!("sshd -T cannot be asked: {line}"));
    }
    Ok(Weakness {
        what: format!("sshd -T refuses the configuration: {line}"),
        hint: "correct it; sshd would not start with it either".to_owned(),
        ..Weakness::default()
    })
}

/// Whether it succeeded, what it printed, and what it said on its standard error.
fn run(
    mut command: Command,
    patience: Duration,
    changed: &dyn Fn() -> bool,
) -> Result<(bool, String, String), String> {
    let cannot = |error: std::io::Error| format!("sshd -T cannot be run: {error}");
    let mut child = command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(cannot)?;
    let out = child.stdout.take().map(collect);
    let error = child.stderr.take().map(collect);
    let started = Instant::now();
    let mut looked = started;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if started.elapsed() < patience => {
                if looked.elapsed() >= LOOK {
                    looked = Instant::now();
                    if changed() {
                        let _ = child.kill();
                        let _ = child.wait();
                        return Err("sshd -T was ended: files have changed".to_owned());
                    }
                }
                thread::sleep(Duration::from_millis(5));
            }
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("sshd -T did not end within {} s", patience.as_secs()));
            }
            Err(error) => return Err(cannot(error)),
        }
    };
    let text = |reader: Option<JoinHandle<Vec<u8>>>| {
        let bytes = reader.and_then(|reader| reader.join().ok()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ok((status.success(), text(out), text(error)))
}

/// Reads all there is and keeps the beginning: a pipe that is full would hold the program up.
fn collect(pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut pipe = pipe.take(u64::MAX);
        let _ = pipe.by_ref().take(OUTPUT).read_to_end(&mut bytes);
        let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        bytes
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hardtack_login::promise::BlockPromise;

    use super::*;

    fn promise(lines: &[(&str, &str)]) -> Promise {
        let own = |(keyword, value): &(&str, &str)| ((*keyword).to_owned(), (*value).to_owned());
        Promise { sshd: lines.iter().map(own).collect(), ..Promise::default() }
    }

    #[test]
    fn what_sshd_says_is_compared_with_what_was_promised() {
        let promise = promise(&[
            ("AuthenticationMethods", "publickey,keyboard-interactive"),
            ("KbdInteractiveAuthentication", "yes"),
            ("PermitRootLogin", "prohibit-password"),
            ("LoginGraceTime", "2m"),
            ("UsePAM", "yes"),
        ]);
        let good = "usepam yes\npermitrootlogin without-password\nlogingracetime 120\n\
                    kbdinteractiveauthentication yes\nauthenticationmethods publickey,keyboard-interactive\n";
        assert!(differences(&promise, "ann", good).is_empty());
        let weak = good.replace("publickey,keyboard-interactive", "any").replace("usepam yes", "usepam no");
        let found = differences(&promise, "ann", &weak);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].what.contains("authenticationmethods any for the user ann"), "{found:?}");
        assert!(differences(&promise, "ann", "").is_empty(), "what is not printed was judged before");
        let mut lenient = promise;
        lenient.blocks.push(BlockPromise {
            criteria: "Group machines".into(),
            keyword: "AuthenticationMethods".into(),
            value: "any".into(),
        });
        assert_eq!(differences(&lenient, "ann", &weak).len(), 1, "the recipe's own block");
    }

    #[test]
    fn a_refusal_is_a_weakness_unless_sshd_has_no_keys_yet() {
        assert!(refusal("sshd: no hostkeys available -- exiting.\n").is_err());
        let told = refusal("/etc/ssh/sshd_config.d/x.conf line 1: no argument\n  \n").unwrap();
        assert!(told.what.ends_with("x.conf line 1: no argument"), "{told:?}");
        let other = "'Match RDomain' in configuration but 'rdomain' not in connection test specification.";
        assert!(refusal(other).is_err());
    }

    #[test]
    fn names_that_would_change_the_question_are_not_asked_for() {
        assert!(is_plain("ann") && !is_plain("ann,addr=1") && !is_plain("") && !is_plain("a b"));
    }

    #[test]
    fn a_program_that_floods_or_hangs_holds_nobody_up() {
        let mut flood = Command::new("sh");
        flood.args(["-c", "head -c 3000000 /dev/zero >&2; exit 1"]);
        let (ok, _, said) = run(flood, Duration::from_secs(60), &|| false).unwrap();
        assert!(!ok && said.len() as u64 == OUTPUT);
        let mut hang = Command::new("sleep");
        hang.arg("600");
        let error = run(hang, Duration::from_millis(200), &|| false).unwrap_err();
        assert!(error.contains("did not end"), "{error}");
        let mut hang = Command::new("sleep");
        hang.arg("600");
        let error = run(hang, Duration::from_secs(600), &|| true).unwrap_err();
        assert!(error.contains("files have changed"), "{error}");
    }
}
