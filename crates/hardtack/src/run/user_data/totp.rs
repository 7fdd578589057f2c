//! `hardtack user-data totp`: a second factor that the operator holds, as a part of user-data and as a QR code.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::Path;

use hardtack_credentials::secret_file::Random;
use hardtack_credentials::{SecretFile, TotpConfig, UserCredentials, otpauth};
use hardtack_disk::AtomicFile;
use hardtack_userdata::operator;
use serde_json::json;

use crate::args::TotpArgs;
use crate::error::{CliError, LOCAL_IO};
use crate::random;
use crate::run::console::{Picture, show_user};
use crate::terminal::Terminal;

/// Bytes of a file whose first line is a secret.
const SECRET_FILE: u64 = 64 << 10;
/// What the parts of several users, or of several fleets, are merged by: cloud-init's default lets the last
/// one replace all others.
const MERGE_HOW: &str = "dict(recurse_dict)+list()+str()";

/// Where the answer goes.
struct Streams<'a> {
    out: &'a mut dyn Write,
    out_terminal: Terminal,
    err: &'a mut dyn Write,
    err_terminal: Terminal,
}

/// Makes secrets, the part and the QR codes.
pub(super) fn run(arguments: &TotpArgs) -> Result<u8, CliError> {
    let streams = Streams {
        out: &mut std::io::stdout().lock(),
        out_terminal: Terminal::of_stdout(),
        err: &mut std::io::stderr().lock(),
        err_terminal: Terminal::of_stderr(),
    };
    make(arguments, &mut random::fill, streams)
}

fn make(arguments: &TotpArgs, random: Random<'_>, streams: Streams<'_>) -> Result<u8, CliError> {
    check(arguments)?;
    let output = (arguments.output.as_os_str() != "-").then_some(arguments.output.as_path());
    let picture = arguments.qr.as_deref().map(|path| Picture::at(path, arguments.force)).transpose()?;
    let Streams { out, out_terminal, err, err_terminal } = streams;
    let users = match &arguments.secret_file {
        Some(path) => {
            let (secret, doubts) = known(path)?;
            for doubt in doubts {
                writeln!(err, "hardtack: warning: {}: the secret {doubt}", path.display())
                    .map_err(CliError::stream)?;
            }
            arguments.users.iter().map(|user| credentials(user, &arguments.issuer, secret.clone())).collect()
        }
        None => new(arguments, random)?,
    };
    let part = part(&users);
    if let Some(output) = output {
        let file = AtomicFile::create(output)?;
        file.file()
            .write_all(part.as_bytes())
            .map_err(|error| CliError::io(output, "write the part", error))?;
        file.commit(arguments.force)?;
    }
    if let (Some(picture), Some(user)) = (picture, users.first()) {
        picture.write(&user.otpauth, err)?;
    }
    if arguments.json {
        writeln!(out, "{}", as_json(&users, &part)).map_err(CliError::stream)?;
    } else if output.is_some() {
        show(&users, out_terminal, out)?;
    } else {
        out.write_all(part.as_bytes()).map_err(CliError::stream)?;
        show(&users, err_terminal, err)?;
    }
    out.flush().map_err(CliError::stream)?;
    let place = output.map_or_else(|| "the part".to_owned(), |path| path.display().to_string());
    let (secret, stands) = if users.len() == 1 { ("secret", "stands") } else { ("secrets", "stand") };
    writeln!(
        err,
        "hardtack: the {secret} {stands} in {place} in the clear, and so in user-data: `hardtack user-data check` says who can read it there\n\
         hardtack: all instances launched with it take the same codes, and one that was used on an instance is still good on the others until it ends"
    )
    .map_err(CliError::stream)?;
    Ok(0)
}

/// Whatever is wrong with the arguments is told before anything is written.
fn check(arguments: &TotpArgs) -> Result<(), CliError> {
    for (index, user) in arguments.users.iter().enumerate() {
        // What is refused may be a secret that was mistaken for a name: it is not repeated.
        if !operator::is_user_name(user) {
            return Err(CliError::usage("--user: that cannot be a user's name").hint(
                "a name has at most 32 characters, without blanks, quotes, `:` and `/`, and does not begin with `-`",
            ));
        }
        if arguments.users.iter().take(index).any(|known| known == user) {
            return Err(CliError::usage(format!("--user {user} is given twice")));
        }
    }
    if arguments.users.len() > 1 {
        for (given, option) in
            [(arguments.qr.is_some(), "--qr"), (arguments.secret_file.is_some(), "--secret-file")]
        {
            if given {
                return Err(CliError::usage(format!("{option} is about one user, and there are several"))
                    .hint("make a part for each of them; `hardtack user-data pack` puts them together"));
            }
        }
    }
    let output = &arguments.output;
    if output.as_os_str() != "-" && !arguments.force && output.symlink_metadata().is_ok() {
        let text = format!("{}: exists already", output.display());
        return Err(CliError::new(LOCAL_IO, text).hint("--force replaces it"));
    }
    Ok(())
}

fn new(arguments: &TotpArgs, random: Random<'_>) -> Result<Vec<UserCredentials>, CliError> {
    let mut users = Vec::new();
    for user in &arguments.users {
        let file = SecretFile::generate(&TotpConfig::default(), random)
            .map_err(|error| CliError::new(LOCAL_IO, format!("no random bytes for a secret: {error}")))?;
        users.push(credentials(user, &arguments.issuer, file.secret().to_owned()));
    }
    Ok(users)
}

/// The secret on the first line of a file, google-authenticator's own file among them, and what is doubtful
/// about it.
fn known(path: &Path) -> Result<(String, Vec<String>), CliError> {
    let mut text = String::new();
    let read = match path.as_os_str() == "-" {
        true => std::io::stdin().lock().take(SECRET_FILE).read_to_string(&mut text),
        false => std::fs::File::open(path).and_then(|file| file.take(SECRET_FILE).read_to_string(&mut text)),
    };
    read.map_err(|error| CliError::io(path, "read the secret", error))?;
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let secret = operator::read(line).map_err(|refused| {
        let text = format!("{}: the first line, which is to be the secret, {}", path.display(), refused.what);
        CliError::usage(text).hint(refused.hint)
    })?;
    Ok((secret, operator::doubts(line).into_iter().map(|doubt| doubt.what).collect()))
}

fn credentials(user: &str, issuer: &str, secret: String) -> UserCredentials {
    UserCredentials {
        name: user.to_owned(),
        // One for all instances: no host, and no scratch codes, which each instance makes and forgets.
        otpauth: otpauth::url(issuer, user, "", None, &secret),
        secret,
        scratch_codes: Vec::new(),
        password: String::new(),
    }
}

/// The part of user-data.
fn part(users: &[UserCredentials]) -> String {
    let mut text = format!(
        "#cloud-config\n\
         # Second factors that the operator holds: who can read this file, or the user-data it goes into, can\n\
         # make the codes.\n\
         # Without these words this part would replace others with secrets.\n\
         merge_how: \"{MERGE_HOW}\"\n\
         {}:\n  {}:\n",
        operator::KEY,
        operator::TOTP
    );
    for user in users {
        // In quotes: a name may be `no`, and a secret all digits. Neither has a quote in it.
        let _ = writeln!(text, "    \"{}\": \"{}\"", user.name, user.secret);
    }
    text
}

fn as_json(users: &[UserCredentials], part: &str) -> serde_json::Value {
    let users: Vec<_> = users
        .iter()
        .map(|user| json!({"name": user.name, "secret": user.secret, "otpauth": user.otpauth}))
        .collect();
    json!({"users": users, "user_data": part})
}

fn show(users: &[UserCredentials], terminal: Terminal, out: &mut dyn Write) -> Result<(), CliError> {
    for user in users {
        show_user(user, terminal, out).map_err(CliError::stream)?;
    }
    Ok(())
}
