//! `hardtack enroll`: a second factor changed inside an image, offline.

mod stage;

use std::io::Write;

use hardtack_credentials::secret_file::Random;
use hardtack_credentials::{SecretFile, UserCredentials, otpauth};
use hardtack_guest::Stage;

use crate::args::{EnrollArgs, Format, TargetArgs};
use crate::error::{CliError, LOCAL_IO};
use crate::image::Image;
use crate::random;
use crate::run::console::{Picture, show_user};
use crate::source::Input;
use crate::terminal::Terminal;

/// Runs `hardtack enroll`.
pub(crate) fn run(arguments: &EnrollArgs) -> Result<u8, CliError> {
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr());
    enroll(arguments, &mut random::fill, Terminal::of_stdout(), &mut out, &mut err)
}

fn enroll(
    arguments: &EnrollArgs,
    random: Random<'_>,
    terminal: Terminal,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<u8, CliError> {
    let user = arguments.user.as_str();
    let output = arguments.output.as_deref().unwrap_or(&arguments.image);
    check_output(arguments)?;
    let picture = arguments.qr.as_deref().map(|path| Picture::at(path, arguments.force)).transpose()?;
    let input = Input::open_in_place(&arguments.image)?;
    let target = target(&input, arguments.output.is_none() || arguments.force);
    let image = Image::open(input, None, None)?;
    let mut stage = Stage::new(&image.guest);
    let facts = stage::facts(&stage)?;
    let new = match arguments.clear {
        true => None,
        false => {
            let file = SecretFile::generate(&facts.totp, random)
                .map_err(|error| CliError::new(LOCAL_IO, format!("no random bytes for a secret: {error}")))?;
            Some(file)
        }
    };
    stage::enroll(&mut stage, user, new.as_ref())?;
    let edits = stage.edits()?;
    drop(stage);
    if edits.is_empty() && arguments.output.is_none() {
        writeln!(err, "hardtack: {user} has no secret in {}: nothing to change", arguments.image.display())
            .map_err(CliError::stream)?;
        return Ok(0);
    }
    let finished = image.write(&edits, output, &target)?;
    for unread in &finished.confirmation.unread {
        writeln!(err, "hardtack: note: not read back by a second implementation: {unread}")
            .map_err(CliError::stream)?;
    }
    let Some(file) = new else {
        return writeln!(
            err,
            "hardtack: {user} has no secret in {} any more; the next boot enrols anew",
            output.display()
        )
        .map(|()| 0)
        .map_err(CliError::stream);
    };
    for warning in &facts.warnings {
        writeln!(err, "hardtack: warning: {warning}").map_err(CliError::stream)?;
    }
    let credentials = UserCredentials {
        name: user.to_owned(),
        secret: file.secret().to_owned(),
        otpauth: otpauth::url(&facts.recipe, user, &facts.hostname, None, file.secret()),
        scratch_codes: file.scratch_codes().to_vec(),
        password: String::new(),
    };
    if let Some(picture) = picture {
        picture.write(&credentials.otpauth, err)?;
    }
    if arguments.json {
        let json = serde_json::to_string(&credentials).unwrap_or_default();
        writeln!(out, "{json}").map_err(CliError::stream)?;
    } else {
        show_user(&credentials, terminal, out).map_err(CliError::stream)?;
    }
    out.flush().map_err(CliError::stream)?;
    writeln!(
        err,
        "hardtack: {user} has a new secret in {}; the old one and its scratch codes ended",
        output.display()
    )
    .map_err(CliError::stream)?;
    Ok(0)
}

/// The output's format is the image's.
fn target(input: &Input, force: bool) -> TargetArgs {
    let format = if input.as_qcow2().is_some() { Format::Qcow2 } else { Format::Raw };
    TargetArgs { format: Some(format), force, ..TargetArgs::default() }
}

fn check_output(arguments: &EnrollArgs) -> Result<(), CliError> {
    let Some(output) = &arguments.output else { return Ok(()) };
    let same = match (output.canonicalize(), arguments.image.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    };
    if same {
        let text = format!("{}: the output is the image", output.display());
        return Err(CliError::usage(text).hint("without --output the image itself is changed"));
    }
    if !arguments.force && output.symlink_metadata().is_ok() {
        let text = format!("{}: exists already", output.display());
        return Err(CliError::new(LOCAL_IO, text).hint("--force replaces it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
