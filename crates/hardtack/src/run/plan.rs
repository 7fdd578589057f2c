//! `hardtack plan`: what a recipe would change, as a difference, as JSON, as a page.

use hardtack_recipe::Plan;

use super::build;
use super::written::Written;
use crate::args::PlanRecipeArgs;
use crate::document;
use crate::error::{CliError, NO};
use crate::source::Input;
use crate::supply;

/// Tells what a build would change, and changes nothing.
pub(crate) fn run(arguments: &PlanRecipeArgs) -> Result<u8, CliError> {
    let written = Written::new(&arguments.recipe, &arguments.set);
    let early = written.read()?;
    let input = Input::open(&arguments.image, &arguments.open, arguments.html.as_deref())?;
    let image = build::open_image(input, arguments.grow)?;
    let supply = supply::open(&arguments.supply)?;
    let mut surroundings =
        build::surroundings(&image, &arguments.recipe, arguments.agent.as_deref(), arguments.no_deferred)?;
    surroundings.supply = Some(supply);
    let (edits, (shown, page, code)) =
        build::staged(&image, written, &early, &surroundings, |plan, said| {
            let shown = if arguments.summary && !plan.is_empty() {
                with_said(plan.to_summary(), plan, said)
            } else {
                shown(plan, arguments.json, said)?
            };
            let page = match &arguments.html {
                Some(_) => Some(plan.to_page(
                    env!("CARGO_PKG_VERSION"),
                    &arguments.image.display().to_string(),
                    &arguments.recipe.display().to_string(),
                )?),
                None => None,
            };
            let code = if arguments.detailed_exitcode && !plan.is_empty() { NO } else { 0 };
            Ok((shown, page, code))
        })?;
    // What the file systems would refuse is refused now.
    image.rehearse(&edits)?;
    if let Some(page) = page {
        let mut inputs = vec![(&*arguments.image, "image"), (&*arguments.recipe, "recipe")];
        inputs.extend(arguments.agent.as_deref().map(|agent| (agent, "agent")));
        document::write(&page.to_html(), arguments.html.as_deref(), arguments.force, &inputs)?;
    }
    build::show(&shown)?;
    Ok(code)
}

/// The plan as it is printed, with what is `said`, which then is said nowhere else.
pub(super) fn shown(plan: &Plan<'_, '_>, json: bool, said: &mut String) -> Result<String, CliError> {
    Ok(match (json, plan.is_empty()) {
        (true, _) => plan.to_json()? + "\n",
        (false, true) => "Nothing to change: the image is as the recipe says.\n".to_owned() + &ways_in(plan),
        (false, false) => with_said(plan.to_text()?, plan, said),
    })
}

/// Notes are a part of the plan for people, and so is who gets in.
fn with_said(text: String, plan: &Plan<'_, '_>, said: &mut String) -> String {
    let gap = if said.is_empty() { "" } else { "\n" };
    text + gap + &std::mem::take(said) + &ways_in(plan)
}

fn ways_in(plan: &Plan<'_, '_>) -> String {
    plan.ways_in().map(|found| format!("\n{}", found.to_text())).unwrap_or_default()
}
