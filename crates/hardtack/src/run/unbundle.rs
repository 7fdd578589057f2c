//! `hardtack unbundle`: a bundle as an image again, or checked.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use hardtack_bundle::{Bundle, Check, PrivateKey, PublicKey, Session, Stage, Verdict, check, unbundle};
use hardtack_disk::AtomicFile;
use serde_json::json;

use super::bundle::{keys, settings};
use super::convert::mebibytes;
use crate::args::UnbundleArgs;
use crate::error::{CliError, LOCAL_IO};
use crate::progress::Progress;
use crate::{talk, target};

/// The answer of `--check` is no.
const NO: u8 = 1;

/// Runs `hardtack unbundle`.
pub(crate) fn run(arguments: &UnbundleArgs) -> Result<u8, CliError> {
    let Some(manifest) = arguments.manifest.as_ref().or(arguments.manifest_option.as_ref()) else {
        return Err(CliError::usage("a manifest is needed"));
    };
    let found = settings(&arguments.files)?;
    let certificate = arguments.cert.clone().or(found.certificate);
    let private = arguments.privatekey.clone().or(found.private_key);
    let session = match &arguments.key_and_iv {
        Some(path) => Some(keys::session(Some(path))?),
        None => None,
    };
    let passphrase_file = arguments.passphrase_file.as_deref();
    if arguments.check {
        return check_bundle(arguments, manifest, certificate, private, session);
    }
    let bundle = open(arguments, manifest)?;
    let output = output(arguments, &bundle)?;
    target::check_output(&output, arguments.force, &[(manifest, "manifest")])?;
    let mut public = None;
    let session = match (session, private) {
        (Some(session), _) => session,
        (None, Some(path)) => {
            let key = keys::private(&path, passphrase_file)?;
            // The cloud's key opens it, too, and has signed nothing.
            public = bundle.is_of_user(&key).then(|| key.public());
            bundle.session(&key).ok_or_else(|| {
                CliError::usage(format!("{}: this key does not open the bundle", path.display()))
                    .hint("the user's private key does, for whose certificate it was made, and the cloud's")
            })?
        }
        (None, None) => {
            return Err(CliError::usage("missing private key; please supply one with --privatekey")
                .hint("or set EC2_PRIVATE_KEY, or give --key-and-iv"));
        }
    };
    let signature = signature(arguments, &bundle, certificate.as_deref(), public)?;
    let mut file = AtomicFile::create(&output)?;
    file.set_durable(!arguments.no_sync);
    let (compare, write) = (OnceLock::new(), OnceLock::new());
    let done = unbundle(&bundle, &session, &mut file, &|stage, done, total| {
        show(&compare, &write, &output, stage, done, total);
    })?;
    file.commit(arguments.force)?;
    if let Some(progress) = compare.into_inner() {
        progress.finish(bundle.manifest.bundled_size);
    }
    if let Some(progress) = write.into_inner() {
        progress.finish(done.data);
    }
    let mut out = std::io::stdout().lock();
    let told = if arguments.json {
        let result = json!({
            "output": output.display().to_string(),
            "size": done.size,
            "data": done.data,
            "name": bundle.manifest.name,
            "architecture": bundle.manifest.architecture,
            "account": bundle.manifest.user,
            "type": bundle.manifest.image_type.name(),
            "signature": signature.name(),
        });
        writeln!(out, "{result}")
    } else {
        let (disk, data) = (mebibytes(done.size), mebibytes(done.data));
        writeln!(out, "{}: a disk of {disk} MiB with {data} MiB of data", output.display())
    };
    told.map_err(CliError::stream)?;
    Ok(0)
}

/// Looks at the signature, by your certificate or else by your own key, and says so when it is bad. Whoever wants a
/// bundle refused for it has `--check`.
fn signature(
    arguments: &UnbundleArgs,
    bundle: &Bundle,
    certificate: Option<&Path>,
    own: Option<PublicKey>,
) -> Result<Verdict, CliError> {
    let public = match certificate.map(keys::certificate) {
        Some(Ok(public)) => Some(public),
        // Nobody asked for one that the environment names.
        Some(Err(error)) if arguments.cert.is_some() => return Err(error),
        Some(Err(_)) | None => own,
    };
    let verdict = bundle.signature(public.as_ref());
    if verdict == Verdict::Bad {
        let path = bundle.path.display();
        let whose = match certificate {
            Some(certificate) => format!("the certificate {}", certificate.display()),
            None => "the private key that opens it".to_owned(),
        };
        talk::line(&format!(
            "warning: {path}: BAD SIGNATURE: it is not of this manifest and {whose}; the manifest was changed, or \
             somebody else has signed it"
        ));
    }
    Ok(verdict)
}

fn open(arguments: &UnbundleArgs, manifest: &Path) -> Result<Bundle, CliError> {
    Ok(Bundle::open(manifest, arguments.source.as_deref())?)
}

/// Where the image goes. A name that the manifest gives is one file's name and nothing else.
fn output(arguments: &UnbundleArgs, bundle: &Bundle) -> Result<PathBuf, CliError> {
    let Some(directory) = &arguments.destination else {
        return arguments.output.clone().ok_or_else(|| CliError::usage("--output is needed, or --check"));
    };
    if !directory.is_dir() {
        let what = if directory.exists() { "it is no directory" } else { "there is no such directory" };
        let text = format!("{}: {what}, and the image was to be made in it", directory.display());
        return Err(CliError::new(LOCAL_IO, text).hint("make it first, or give another one to --destination"));
    }
    let name = &bundle.manifest.name;
    let plain = !name.is_empty()
        && !matches!(name.as_str(), "." | "..")
        && !name.contains('/')
        && !name.chars().any(char::is_control);
    if !plain {
        let text = format!("{}: the name in it, {name:?}, is no file's name", bundle.path.display());
        return Err(CliError::refused(text).hint("--output gives the image another one"));
    }
    Ok(directory.join(name))
}

fn show(
    compare: &OnceLock<Progress>,
    write: &OnceLock<Progress>,
    what: &Path,
    stage: Stage,
    done: u64,
    total: u64,
) {
    match stage {
        Stage::Check => compare.get_or_init(|| Progress::start("comparing parts")).at(done, total),
        _ => write.get_or_init(|| Progress::start(format!("unpacking {}", what.display()))).at(done, total),
    }
}

fn check_bundle(
    arguments: &UnbundleArgs,
    manifest: &Path,
    certificate: Option<PathBuf>,
    private: Option<PathBuf>,
    session: Option<Session>,
) -> Result<u8, CliError> {
    let certificate = certificate.map(|path| keys::certificate(&path)).transpose()?;
    let passphrase_file = arguments.passphrase_file.as_deref();
    let private: Option<PrivateKey> =
        private.map(|path| keys::private(&path, passphrase_file)).transpose()?;
    let bundle = match open(arguments, manifest) {
        Ok(bundle) => bundle,
        // A damaged manifest is an answer; a missing one is not.
        Err(error) if error.exit_code() == crate::error::REFUSED => {
            return answer(arguments, manifest, None, &[error.report()]);
        }
        Err(error) => return Err(error),
    };
    let (compare, write) = (OnceLock::new(), OnceLock::new());
    let found =
        check(&bundle, certificate.as_ref(), private.as_ref(), session.as_ref(), &|stage, done, total| {
            show(&compare, &write, manifest, stage, done, total);
        });
    if let Some(progress) = compare.into_inner() {
        progress.finish(bundle.manifest.bundled_size);
    }
    if let Some(progress) = write.into_inner() {
        progress.finish(bundle.manifest.size);
    }
    let problems: Vec<String> = found.problems.iter().map(text_of).collect();
    answer(arguments, manifest, Some((&bundle, &found)), &problems)
}

/// An error with what lies behind it.
fn text_of(error: &hardtack_bundle::Error) -> String {
    let behind = std::error::Error::source(error).map_or(String::new(), |source| format!(": {source}"));
    format!("{error}{behind}")
}

fn answer(
    arguments: &UnbundleArgs,
    manifest: &Path,
    found: Option<(&Bundle, &Check)>,
    problems: &[String],
) -> Result<u8, CliError> {
    let code = if problems.is_empty() { 0 } else { NO };
    let mut out = std::io::stdout().lock();
    let told = if arguments.json {
        let verdict = |of: fn(&Check) -> Verdict| found.map(|(_, check)| of(check).name());
        let result = json!({
            "manifest": manifest.display().to_string(),
            "good": problems.is_empty(),
            "signature": verdict(|check| check.signature),
            "parts": verdict(|check| check.parts),
            "key": verdict(|check| check.key),
            "image": verdict(|check| check.image),
            "problems": problems,
        });
        writeln!(out, "{result}")
    } else {
        for problem in problems {
            talk::line(problem.trim_end());
        }
        let name = manifest.display();
        match found {
            Some((bundle, check)) => {
                let words = [
                    ("signature", check.signature),
                    ("parts", check.parts),
                    ("private key", check.key),
                    ("image", check.image),
                ];
                let words: Vec<String> =
                    words.iter().map(|(what, verdict)| format!("{what} {}", word(*verdict))).collect();
                let parts = bundle.manifest.parts.len();
                writeln!(
                    out,
                    "{name}: {} ({parts} parts, {} MiB)",
                    words.join(", "),
                    mebibytes(bundle.manifest.size)
                )
            }
            None => writeln!(out, "{name}: damaged"),
        }
    };
    told.map_err(CliError::stream)?;
    Ok(code)
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "good",
        Verdict::Bad => "BAD",
        Verdict::Unknown => "not looked at",
        Verdict::Absent => "absent",
    }
}
