//! `hardtack sbom`: the bill of materials of an image.

use hardtack_sbom::{Document, Inventory, cyclonedx, spdx};

use super::build::epoch_from_environment;
use crate::args::{SbomArgs, SbomFormat};
use crate::document;
use crate::error::CliError;
use crate::image::Image;
use crate::source::Input;
use crate::{talk, target};

/// Reads the package databases and writes what they hold.
pub(crate) fn run(arguments: &SbomArgs) -> Result<u8, CliError> {
    let inputs = [(&*arguments.image, "image")];
    if let Some(output) = &arguments.output {
        target::check_output(output, arguments.force, &inputs)?;
    }
    let input = Input::open(&arguments.image, &arguments.open, arguments.output.as_deref())?;
    let image = Image::open(input, epoch_from_environment()?, None)?;
    let inventory =
        Inventory::read(&image.guest).map_err(|error| CliError::from(error).within(&arguments.image))?;
    if inventory.components.is_empty() {
        talk::note(&format!(
            "{}: neither dpkg nor rpm knows of any package in it",
            arguments.image.display()
        ));
    }
    let name = arguments.image.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let document =
        Document { name, tool_version: env!("CARGO_PKG_VERSION").to_owned(), created: image.epoch };
    let value = match arguments.format {
        SbomFormat::Spdx => spdx(&inventory, &document),
        SbomFormat::Cyclonedx => cyclonedx(&inventory, &document),
    };
    let text = format!("{value:#}\n");
    document::write(&text, arguments.output.as_deref(), arguments.force, &inputs)?;
    Ok(0)
}
