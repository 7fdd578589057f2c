//! What became of the jobs: a table for people, JSON for programs, JUnit's XML for CI systems.

use std::time::Duration;

use hardtack_report::{visible, xml_attribute, xml_text};
use hardtack_yaml::diagnostic::width;
use serde_json::{Value, json};

use crate::job::{Job, Matrix};

/// No line of the table is wider.
const WIDTH: usize = 80;
/// Columns of a job's name in the table.
const NAME: usize = 40;
/// Lines of a log that stand in JUnit's XML: its end, where errors are.
const LOG_LINES: usize = 200;

/// What became of one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its image stands.
    Done,
    /// It ended with this exit code.
    Failed(u8),
    /// A signal ended it.
    Killed(i32),
}

/// One job and what became of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The job's number in the file.
    pub index: usize,
    /// What became of it.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
    /// Bytes of the image that it made.
    pub size: Option<u64>,
    /// What the program said of the build: the JSON of `build --json`, or of a plan.
    pub report: Value,
    /// What it said on standard error.
    pub log: String,
}

/// All that were run, in the order of the file.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// The file.
    pub matrix: &'a Matrix,
    /// What became of its jobs; not of those that were not asked for.
    pub outcomes: Vec<Outcome>,
    /// They were only planned.
    pub planned: bool,
}

impl Verdict {
    /// The exit code that it counts as. A process that a signal ended has none: the machine was short of something.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed(code) => code.max(1),
            Self::Killed(_) => 4,
        }
    }
}

impl Outcome {
    /// What the cache did for it: `hit`, `built`, `damaged-rebuilt`; none without a cache.
    #[must_use]
    pub fn cache(&self) -> Option<&str> {
        let cache = self.report.get("cache")?;
        cache.get("result").unwrap_or(cache).as_str().filter(|word| *word != "off")
    }

    /// The first line of the error.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        match self.verdict {
            Verdict::Done => return None,
            Verdict::Killed(9) => {
                return Some(
                    "killed by signal 9, which Linux sends when memory runs out: try fewer --jobs".to_owned(),
                );
            }
            Verdict::Killed(signal) => return Some(format!("killed by signal {signal}")),
            Verdict::Failed(_) => {}
        }
        // Errors of the program start with its name, those of recipes and panics as here.
        let marked = ["hardtack: ", "error: ", "thread '"];
        let line = self.log.lines().find(|line| marked.iter().any(|mark| line.starts_with(mark)));
        let line = line.or_else(|| self.log.lines().rev().find(|line| !line.trim().is_empty()));
        let line =
            line.map(|line| line.strip_prefix("hardtack: ").or(line.strip_prefix("error: ")).unwrap_or(line));
        Some(visible(line.unwrap_or("it failed and said nothing")).replace('\t', " "))
    }

    fn word(&self, planned: bool) -> String {
        match self.verdict {
            Verdict::Done if planned => "planned".to_owned(),
            Verdict::Done => "built".to_owned(),
            Verdict::Failed(code) => format!("FAILED {code}"),
            Verdict::Killed(_) => "KILLED".to_owned(),
        }
    }
}

impl Run<'_> {
    /// The highest exit code of all.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.outcomes.iter().map(|outcome| outcome.verdict.exit_code()).max().unwrap_or(0)
    }

    fn failed(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.verdict != Verdict::Done).count()
    }

    fn hits(&self) -> Option<usize> {
        let mut cached = self.outcomes.iter().filter_map(Outcome::cache).peekable();
        cached.peek()?;
        Some(cached.filter(|word| *word == "hit").count())
    }

    fn name(&self, outcome: &Outcome) -> String {
        self.matrix.jobs.get(outcome.index).map(|job| visible(&job.name)).unwrap_or_default()
    }

    /// "12 of 12 built, 8 from the cache".
    #[must_use]
    pub fn summary(&self) -> String {
        let all = self.outcomes.len();
        let what = if self.planned { "planned" } else { "built" };
        let mut text = format!("{} of {all} {what}", all - self.failed());
        if let Some(hits) = self.hits() {
            text += &format!(", {hits} from the cache");
        }
        text
    }

    /// A table of at most 80 columns, with the first line of each error.
    #[must_use]
    pub fn to_table(&self) -> String {
        let names: Vec<String> = self.outcomes.iter().map(|outcome| cut(&self.name(outcome), NAME)).collect();
        let wide = names.iter().map(|name| columns(name)).max().unwrap_or(0).max(3);
        let mut text =
            format!("{}{:>10}{:>10}{:>10}  {}\n", pad("job", wide), "result", "time", "size", "cache");
        for (outcome, name) in self.outcomes.iter().zip(&names) {
            let line = format!(
                "{}{:>10}{:>10}{:>10}  {}",
                pad(name, wide),
                outcome.word(self.planned),
                seconds(outcome.took),
                outcome.size.map_or_else(|| "-".to_owned(), mebibytes),
                match outcome.cache() {
                    // Eight columns are left.
                    Some("damaged-rebuilt") => "mended",
                    Some(word) => word,
                    None => "-",
                }
            );
            text += line.trim_end();
            text.push('\n');
            if let Some(error) = outcome.error() {
                text += &format!("  {}\n", cut(&error, WIDTH - 2));
            }
        }
        text + &self.summary() + "\n"
    }

    /// For programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let jobs: Vec<Value> = self.outcomes.iter().filter_map(|outcome| self.json_of(outcome)).collect();
        json!({
            "matrix": self.matrix.path.display().to_string(),
            "jobs": jobs,
            "done": self.outcomes.len() - self.failed(),
            "failed": self.failed(),
            "from_cache": self.hits().unwrap_or(0),
            "exit_code": self.exit_code(),
        })
    }

    fn json_of(&self, outcome: &Outcome) -> Option<Value> {
        let job = self.matrix.jobs.get(outcome.index)?;
        let mut value = described(outcome.index, job);
        let what = if self.planned { "planned" } else { "built" };
        let result = match outcome.verdict {
            Verdict::Done => what,
            Verdict::Failed(_) => "failed",
            Verdict::Killed(_) => "killed",
        };
        value["result"] = result.into();
        value["exit_code"] = outcome.verdict.exit_code().into();
        value["seconds"] = (outcome.took.as_millis() as f64 / 1000.0).into();
        value["size"] = outcome.size.into();
        value["cache"] = outcome.cache().into();
        value["error"] = outcome.error().into();
        value[if self.planned { "plan" } else { "build" }] = outcome.report.clone();
        Some(value)
    }

    /// JUnit's XML as GitLab and Jenkins read it (`junit-10.xsd` of Jenkins' xUnit plug-in): a test for each job, with the
    /// end of what a failed one said.
    #[must_use]
    pub fn to_junit(&self) -> String {
        let killed = |outcome: &&Outcome| matches!(outcome.verdict, Verdict::Killed(_));
        let errors = self.outcomes.iter().filter(killed).count();
        let total: Duration = self.outcomes.iter().map(|outcome| outcome.took).sum();
        let numbers = format!(
            "tests=\"{}\" failures=\"{}\" errors=\"{errors}\" time=\"{:.3}\"",
            self.outcomes.len(),
            self.failed() - errors,
            total.as_secs_f64()
        );
        let name = xml_attribute(&self.matrix.path.display().to_string());
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"hardtack build\" {numbers}>\n  \
             <testsuite name=\"{name}\" {numbers} skipped=\"0\">\n"
        );
        for outcome in &self.outcomes {
            let Some(job) = self.matrix.jobs.get(outcome.index) else { continue };
            xml += &format!(
                "    <testcase classname=\"hardtack.build\" name=\"{}\" time=\"{:.3}\"",
                xml_attribute(&job.name),
                outcome.took.as_secs_f64()
            );
            let Some(error) = outcome.error() else {
                xml += "/>\n";
                continue;
            };
            let (tag, kind) = match outcome.verdict {
                Verdict::Killed(signal) => ("error", format!("signal {signal}")),
                other => ("failure", format!("exit code {}", other.exit_code())),
            };
            let lines: Vec<&str> = outcome.log.lines().collect();
            let end = lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default().join("\n");
            xml += &format!(
                ">\n      <{tag} message=\"{}\" type=\"{kind}\">{}</{tag}>\n    </testcase>\n",
                xml_attribute(&error),
                xml_text(&end)
            );
        }
        xml + "  </testsuite>\n</testsuites>\n"
    }
}

/// A job for programs.
pub(crate) fn described(index: usize, job: &Job) -> Value {
    let set: serde_json::Map<String, Value> =
        job.set.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    json!({
        "index": index,
        "name": job.name,
        "recipe": job.recipe.display().to_string(),
        "row": job.row,
        "source": job.source.display().to_string(),
        "digest": job.digest.as_ref().map(|digest| format!("sha256:{digest}")),
        "output": job.output.display().to_string(),
        "set": set,
    })
}

/// Columns that a terminal gives to the text.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(width).sum()
}

/// The text, with spaces up to so many columns.
pub(crate) fn pad(text: &str, wide: usize) -> String {
    format!("{text}{}", " ".repeat(wide.saturating_sub(columns(text))))
}

/// The text, its end cut off where it is wider.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if columns(text) <= most {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut wide = 1;
    for character in text.chars() {
        wide += width(character);
        if wide > most {
            break;
        }
        out.push(character);
    }
    out + "…"
}

fn seconds(took: Duration) -> String {
    match took.as_secs() {
        0..600 => format!("{:.1} s", took.as_secs_f64()),
        long => format!("{} min", long / 60),
    }
}

fn mebibytes(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    match bytes {
        small if small < 10 * MIB => format!("{} KiB", small.div_ceil(1024)),
        large if large < 10_000 * MIB => format!("{} MiB", large.div_ceil(MIB)),
        huge => format!("{} GiB", huge.div_ceil(MIB << 10)),
    }
}
