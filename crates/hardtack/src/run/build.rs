//! `hardtack build`: a recipe applied to a copy of an image.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hardtack_guest::{Edit, Stage};
use hardtack_recipe::{Facts, Note, Options, Plan, Recipe, Surroundings, Weight};
use hardtack_recipe::{WaysIn, redact, stage_and_judge};
use serde_json::{Map, Value, json};

use super::cached::{Cache, by_digest};
use super::settle::Booted;
use super::written::{Opened, Written};
use super::{matrix, plan, settle};
use crate::agent_file;
use crate::args::{BuildArgs, HardenArgs};
use crate::error::CliError;
use crate::image::{Finished, Image};
use crate::provenance::{Record, Recorder, Taken};
use crate::source::Input;
use crate::{provenance, signals, supply, talk, target};

/// Builds, or with `--plan` tells what a build would change.
pub(crate) fn run(arguments: &BuildArgs) -> Result<u8, CliError> {
    if let Some(parent) = arguments.parent {
        signals::end_with_parent(parent);
    }
    let Some(recipe) = &arguments.recipe else { return matrix::run(arguments) };
    let recorder = Recorder::default();
    let written =
        Written { recorder: Some(&recorder), row: arguments.row, ..Written::new(recipe, &arguments.set) };
    let (source, output) = match (&arguments.source, arguments.row) {
        (Some(source), _) => (source.clone(), arguments.output.clone()),
        (None, None) => return matrix::run(arguments),
        (None, Some(index)) => {
            let mut rows = written.rows()?;
            if index >= rows.len() {
                return Err(CliError::usage(format!(
                    "--row {index}: the recipe has {}",
                    count(rows.len(), "row")
                )));
            }
            let row = rows.swap_remove(index);
            (row.source, Some(row.output).filter(|_| !arguments.plan))
        }
    };
    if let Some(output) = &output {
        check_output(recipe, &source, output, arguments)?;
    } else if !arguments.plan {
        return Err(CliError::usage("--output is needed, or --plan"));
    }
    let opened = Opened::new(&recorder, output.as_deref());
    let written = Written { opened: Some(&opened), ..written };
    one(arguments, written, &written.read()?, &source, output.as_deref())
}

/// Builds one image, or with `--plan` tells what that would change.
fn one(
    arguments: &BuildArgs,
    written: Written<'_>,
    early: &Recipe,
    source: &Path,
    output: Option<&Path>,
) -> Result<u8, CliError> {
    let building = output.filter(|_| !arguments.plan);
    let digest = by_digest(source)?;
    let mut cache = Cache::open(arguments, building.is_some(), digest.is_some())?;
    if let Some(output) = building {
        cache.identify(arguments, written, early, source, output);
        if let Some(code) = cache.serve(arguments, written, output)? {
            return Ok(code);
        }
    }
    talk::begin_to_keep();
    // What is cached has its record, whether this build is to write one or not.
    let recorded = building.is_some() && (!arguments.no_provenance || cache.is_on());
    let input = match digest {
        Some(digest) => cache.source(digest, arguments, output)?,
        None => Input::open(source, &arguments.open, output)?,
    };
    let record = match cache.sources() {
        _ if !recorded => None,
        Some(sources) => Some(Record::known("build", sources)),
        None => Some(Record::begin("build", source)?),
    };
    let sources_known = cache.sources().is_some();
    let image = open_image(input, arguments.grow)?;
    let supply = supply::open(&arguments.supply)?;
    let taken = Arc::new(Taken::new(supply.clone()));
    let mut surroundings =
        surroundings(&image, written.path, arguments.agent.as_deref(), arguments.no_deferred)?;
    surroundings.supply = Some(taken.clone());
    let agent = surroundings.agent_binary.clone();
    let backing: Vec<_> = image.backing_files().into_iter().map(Path::to_owned).collect();
    let Booted { image, accel } = match output.filter(|_| arguments.settle) {
        Some(output) => settle::boot(image, written, early, &surroundings, arguments, output)?,
        None => Booted { image, accel: None },
    };
    let before = |stage: &mut Stage<'_>| match accel {
        Some(_) => settle::forget(stage, &surroundings),
        None => Ok(()),
    };
    let (edits, (shown, told)) =
        staged_after(&image, written, early, &surroundings, before, |plan, said| {
            let shown = if arguments.plan { plan::shown(plan, arguments.json, said)? } else { String::new() };
            Ok((shown, Told::of(plan)))
        })?;
    if arguments.plan {
        // What the file systems would refuse is refused now.
        image.rehearse(&edits)?;
        return show(&shown);
    }
    let Some(output) = output else {
        return Err(CliError::usage("--output is needed, or --plan"));
    };
    let record = match record {
        Some(mut record) => {
            if !sources_known {
                record.backing(&backing.iter().map(PathBuf::as_path).collect::<Vec<_>>())?;
            }
            match written.recorder {
                Some(recorder) => record.files_of(recorder),
                None => record.file("recipe", written.path)?,
            }
            let debs = early.packages().map(|step| step.debs.as_slice()).unwrap_or_default();
            for path in debs.iter().map(|deb| deb.path.clone()).chain(taken.paths()) {
                record.file("package", &path)?;
            }
            if early.agent().is_some()
                && let Some(agent) = &agent
            {
                record.bytes("agent", "hardtack-agent", agent);
            }
            if let Some(size) = arguments.grow {
                record.parameter("grow", size);
            }
            if let Some(accel) = accel {
                record.parameter("settle", accel);
            }
            if !arguments.set.is_empty() {
                // The values may be what nobody else is to know.
                let names: Vec<&str> = arguments.set.iter().map(|(name, _)| name.as_str()).collect();
                record.parameter("set", names);
            }
            Some(record)
        }
        None => None,
    };
    let (report, record) = build(image, &edits, output, told, arguments, record)?;
    supply::finish(&supply)?;
    let recorded = match record.as_ref().filter(|_| !arguments.no_provenance) {
        Some(record) => Some((provenance::write_beside(output, &record.text)?, record.digest.clone())),
        None => None,
    };
    cache.keep(&report, record.as_ref(), arguments, written, &taken, output);
    cache.tell(&report, output, recorded.as_ref(), arguments.json)?;
    Ok(0)
}

/// Stages what the recipe asks for, lets `look` see the plan, and gives the edits. What is to be said of it is handed
/// to `look`, and said here as far as it is left.
pub(super) fn staged<T>(
    image: &Image,
    written: Written<'_>,
    early: &Recipe,
    surroundings: &Surroundings,
    look: impl FnOnce(&Plan<'_, '_>, &mut String) -> Result<T, CliError>,
) -> Result<(Vec<Edit>, T), CliError> {
    staged_after(image, written, early, surroundings, |_| Ok(()), look)
}

/// The same above what `before` does to the stage.
fn staged_after<T>(
    image: &Image,
    written: Written<'_>,
    early: &Recipe,
    surroundings: &Surroundings,
    before: impl FnOnce(&mut Stage<'_>) -> Result<(), CliError>,
    look: impl FnOnce(&Plan<'_, '_>, &mut String) -> Result<T, CliError>,
) -> Result<(Vec<Edit>, T), CliError> {
    let mut stage = Stage::new(&image.guest);
    before(&mut stage)?;
    let settled = written.settle(early, &stage)?;
    let staged = stage_and_judge(settled.as_ref().unwrap_or(early), &mut stage, surroundings)
        .map_err(|error| CliError::from(error).redacted(stage.secrets()))?;
    let plan = Plan::new(&stage)?
        .with_notes(&staged.notes)
        .with_disk(image.grown.clone())
        .with_ways_in(staged.ways_in);
    let mut said = notes_text(&staged.notes, stage.secrets());
    let seen = look(&plan, &mut said)?;
    eprint_text(&said);
    Ok((stage.edits()?, seen))
}

/// Opens the guest, and says what is to be known of it.
pub(super) fn open_image(input: Input, grow: Option<u64>) -> Result<Image, CliError> {
    let path = input.path.clone();
    let image = Image::open(input, epoch_from_environment()?, grow)?;
    for note in image.guest.notes() {
        talk::note(&format!("{}: {note}", path.display()));
    }
    Ok(image)
}

pub(super) fn surroundings(
    image: &Image,
    recipe: &Path,
    agent: Option<&Path>,
    no_deferred: bool,
) -> Result<Surroundings, CliError> {
    Ok(Surroundings {
        facts: Facts {
            root_uuid: image.guest.root_uuid().map(str::to_owned),
            recipe_name: recipe.display().to_string(),
        },
        epoch: image.epoch,
        agent_binary: agent_file::find(agent)?,
        options: Options { no_deferred },
        supply: None,
    })
}

/// The image of `input` and what the recipe changes in it, for a verb that writes it in its own way.
pub(super) fn prepare(
    recipe: &Path,
    input: Input,
    harden: &HardenArgs,
) -> Result<(Image, Vec<Edit>, usize), CliError> {
    let loaded = Written::new(recipe, &harden.set).read()?;
    prepare_loaded(&loaded, recipe, input, harden)
}

/// The same with a recipe that was read before.
pub(super) fn prepare_loaded(
    loaded: &Recipe,
    recipe: &Path,
    input: Input,
    harden: &HardenArgs,
) -> Result<(Image, Vec<Edit>, usize), CliError> {
    let image = open_image(input, harden.grow)?;
    let supply = supply::open(&harden.supply)?;
    let mut surroundings = surroundings(&image, recipe, harden.agent.as_deref(), false)?;
    surroundings.supply = Some(supply.clone());
    let written = Written::new(recipe, &harden.set);
    let (edits, changes) =
        staged(&image, written, loaded, &surroundings, |plan, _| Ok(plan.changes().len()))?;
    supply::finish(&supply)?;
    Ok((image, edits, changes))
}

/// What the report tells of a plan that was carried out.
#[derive(Default)]
pub(super) struct Told {
    changes: usize,
    ways_in: WaysIn,
}

impl Told {
    pub(super) fn of(plan: &Plan<'_, '_>) -> Self {
        Self { changes: plan.changes().len(), ways_in: plan.ways_in().cloned().unwrap_or_default() }
    }
}

fn build(
    image: Image,
    edits: &[Edit],
    output: &Path,
    Told { changes, ways_in }: Told,
    arguments: &BuildArgs,
    record: Option<Record>,
) -> Result<(Report, Option<provenance::Told>), CliError> {
    let epoch = image.epoch;
    let finished = image.write(edits, output, &arguments.target)?;
    let record = record.map(|record| record.finish(output, epoch)).transpose()?;
    let Finished { written, format, confirmation, left_out } = finished;
    for unread in &confirmation.unread {
        talk::note(&format!("not read back by a second implementation: {unread}"));
    }
    let result = json!({
        "format": format.name(),
        "virtual_size": written.virtual_size,
        "file_size": written.file_size,
        "data": written.data,
        "left_out": left_out,
        "changes": changes,
        "confirmed": confirmation.confirmed,
        "unconfirmed": confirmation.unread,
        "ways_in": ways_in,
    });
    let text = format!(
        "{}, {} read back and as planned, {}\n{}",
        count(changes, "change"),
        count(confirmation.confirmed, "path"),
        format.name(),
        ways_in.to_text().trim_end()
    );
    let result = result.as_object().cloned().unwrap_or_default();
    Ok((Report { result, text }, record))
}

/// What is told of a build, but for what it is called.
pub(super) struct Report {
    /// For programs.
    pub(super) result: Map<String, Value>,
    /// For people.
    pub(super) text: String,
}

impl Report {
    /// Tells it. `recorded` is the record's path, and the output's digest.
    pub(super) fn tell(
        &self,
        output: &Path,
        recorded: Option<&(PathBuf, String)>,
        cache: Value,
        as_json: bool,
        from_cache: bool,
    ) -> Result<(), CliError> {
        let mut out = std::io::stdout().lock();
        let told = if as_json {
            let mut result = self.result.clone();
            result.extend([
                ("output".to_owned(), json!(output.display().to_string())),
                ("provenance".to_owned(), json!(recorded.map(|(path, _)| path.display().to_string()))),
                ("sha256".to_owned(), json!(recorded.map(|(_, digest)| digest))),
                ("cache".to_owned(), cache),
            ]);
            writeln!(out, "{}", Value::Object(result))
        } else {
            let whence = if from_cache { "from the cache: " } else { "" };
            writeln!(out, "{}: {whence}{}", output.display(), self.text)
        };
        told.map_err(CliError::stream)
    }
}

/// Everything that is wrong with the output's name is told before any work is done.
pub(super) fn check_output(
    recipe: &Path,
    source: &Path,
    output: &Path,
    arguments: &BuildArgs,
) -> Result<(), CliError> {
    let mut inputs = vec![(source, "source"), (recipe, "recipe")];
    inputs.extend(arguments.agent.as_deref().map(|agent| (agent, "agent")));
    target::format(output, &arguments.target)?;
    target::check_output(output, arguments.plan || arguments.target.force, &inputs)?;
    let record = provenance::beside(output);
    match inputs.iter().find(|(input, _)| target::same_file(&record, input)) {
        Some((_, what)) => {
            Err(CliError::usage(format!("{}: the record of the output is the {what}", record.display()))
                .hint("inputs are never changed; give another output"))
        }
        None => Ok(()),
    }
}

pub(super) fn show(text: &str) -> Result<u8, CliError> {
    std::io::stdout().write_all(text.as_bytes()).map_err(CliError::stream)?;
    Ok(0)
}

/// `SOURCE_DATE_EPOCH` (reproducible-builds.org), if it is set.
pub(super) fn epoch_from_environment() -> Result<Option<i64>, CliError> {
    let Ok(text) = std::env::var("SOURCE_DATE_EPOCH") else { return Ok(None) };
    match text.parse::<u32>() {
        Ok(seconds) => Ok(Some(i64::from(seconds))),
        Err(_) => Err(CliError::usage(format!(
            "SOURCE_DATE_EPOCH={text}: not a number of seconds since 1970, up to {}",
            u32::MAX
        ))),
    }
}

pub(super) fn notes_text(notes: &[Note], secrets: &[String]) -> String {
    let line = |note: &Note| {
        let word = match note.weight {
            Weight::Info => "note",
            Weight::Warning | Weight::Capital => "warning",
        };
        redact(&format!("{word}: {}: {}\n", note.step, note.shown.as_ref().unwrap_or(&note.text)), secrets)
    };
    notes.iter().map(line).collect()
}

pub(super) fn eprint_text(text: &str) {
    talk::keep(text);
    // What is said on standard error is talk; the work goes on without a listener.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn count(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}
