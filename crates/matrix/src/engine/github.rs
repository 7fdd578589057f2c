//! A workflow of GitHub Actions.

use super::quote::{comment, github, shell, yaml};
use super::{Refused, Wanted, file, groups, label, relative, slug};
use crate::job::Matrix;

/// Jobs of one matrix in a run of a workflow
/// (<https://docs.github.com/en/actions/reference/limits>). More images are built several by job.
const MOST: usize = 256;
/// Characters of what is kept under a name.
const LONGEST_NAME: usize = 50;
const ENGINE: &str = "GitHub";

pub(super) fn render(matrix: &Matrix, wanted: &Wanted<'_>) -> Result<String, Refused> {
    let path = file(matrix, ENGINE)?;
    // What one matrix keeps is not that of another.
    let slug = slug(&path, LONGEST_NAME);
    let mut include = String::new();
    for group in groups(matrix.jobs.len(), MOST) {
        let mut outputs = Vec::new();
        for job in matrix.jobs.get(group.clone()).unwrap_or_default() {
            let output = relative(&job.output, ENGINE)?;
            // actions/upload-artifact takes patterns, one a line.
            if output.contains(['*', '?', '[', ']', '\\']) || output.starts_with(['!', '#', '~']) {
                let why =
                    "upload-artifact takes the name of this output for a pattern; give it another `name`";
                return Err(Refused::Path { engine: ENGINE, path: job.shown_output(), why });
            }
            outputs.push(format!("{output}.provenance.json"));
            outputs.push(output);
        }
        let only: Vec<String> = group.clone().map(|index| index.to_string()).collect();
        include += &format!(
            "          - name: {}\n            first: {}\n            only: {}\n            outputs: {}\n",
            yaml(&github(&label(matrix, &group))),
            group.start,
            yaml(&only.join(" ")),
            yaml(&github(&outputs.join("\n"))),
        );
    }
    let before = match wanted.before {
        Some(command) => format!("      - name: Sources\n        run: {}\n", yaml(&github(command))),
        None => String::new(),
    };
    let cache =
        wanted.cache.map_or_else(String::new, |place| format!("          cache: {}\n", yaml(&github(place))));
    // A cache in a bucket needs nobody to carry it from run to run.
    let carried = match wanted.cache.filter(|place| !place.contains("://")) {
        Some(place) => format!(
            "      - uses: actions/cache@v4\n        with:\n          path: {}\n          \
             key: {slug}-${{{{ matrix.first }}}}-${{{{ github.run_id }}}}\n          \
             restore-keys: {slug}-${{{{ matrix.first }}}}-\n",
            yaml(&github(place))
        ),
        None => String::new(),
    };
    // GitHub hands out no secret by itself.
    let mut environment = String::new();
    for name in wanted.variables {
        environment += &format!("          {}: ${{{{ secrets.{name} }}}}\n", yaml(name));
    }
    if !environment.is_empty() {
        environment.insert_str(0, "        env:\n");
    }
    Ok(format!(
        "# Written by: hardtack matrix {command} --format github\n\
         name: hardtack\n\
         on:\n  workflow_dispatch:\n  push:\n    branches: [main]\n\
         permissions:\n  contents: read\n\
         jobs:\n  build:\n    \
         name: ${{{{ matrix.name }}}}\n    \
         runs-on: ubuntu-latest\n    \
         permissions:\n      contents: read\n      security-events: write\n    \
         strategy:\n      fail-fast: false\n      matrix:\n        include:\n{include}    \
         steps:\n      \
         - uses: actions/checkout@v4\n{before}{carried}      \
         - name: Build\n        uses: {action}\n{environment}        with:\n          \
         matrix: {path}\n          only: ${{{{ matrix.only }}}}\n{cache}          verify: \"true\"\n          \
         category: {slug}-${{{{ matrix.first }}}}\n      \
         - uses: actions/upload-artifact@v4\n        if: ${{{{ !cancelled() }}}}\n        with:\n          \
         name: {slug}-${{{{ matrix.first }}}}\n          path: ${{{{ matrix.outputs }}}}\n          \
         if-no-files-found: ignore\n          compression-level: 0\n",
        command = comment(&shell(&path)),
        action = yaml(wanted.action),
        path = yaml(&github(&path)),
    ))
}
