//! From the text of a matrix file to its jobs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use hardtack_recipe::reading::{Fields, Key, Reader, normal};
use hardtack_recipe::{HostFiles, LoadError, RealFiles};
use hardtack_yaml::{Kind, Node, Span, Value, did_you_mean};

use crate::job::{Job, Matrix, is_number};
use crate::keys::{EXCLUDE, INCLUDE, MATRIX, RECIPE, SOURCE};

/// Recipes, sources, exclusions or further jobs of one file.
const MOST_ENTRIES: usize = 1000;
/// Jobs of one file. Each is a whole image; and a Job of Kubernetes is shown by one page at most so long.
const MOST_JOBS: usize = 1000;
/// Characters of a name: it becomes a part of names of files, and of jobs of CI engines.
const LONGEST_NAME: usize = 64;

/// What the name of an image's record has behind that of the image.
const RECORD: &str = ".provenance.json";

/// A recipe or a source of the lists, or of `include`.
#[derive(Clone)]
struct Entry {
    name: String,
    path: PathBuf,
    set: Vec<(String, String)>,
    digest: Option<String>,
    span: Span,
}

/// Reads the matrix `text`, whose file is `path`; relative paths in it start from that file's directory. No file is
/// looked at.
///
/// # Errors
/// All findings, with their places.
pub fn load_matrix(path: &Path, text: &str) -> Result<Matrix, LoadError> {
    let files: &dyn HostFiles = &RealFiles;
    let mut reader = Reader::new(path, text, &|_| None, files);
    let jobs = read(&mut reader);
    reader.finish(jobs.map(|jobs| Matrix { path: path.to_owned(), jobs }))
}

fn read(reader: &mut Reader<'_>) -> Option<Vec<Job>> {
    let root = reader.document()?;
    let start = Span { end: root.span.start, ..root.span };
    if root.get("recipe").is_some() && root.get("matrix").is_none_or(|node| node.as_sequence().is_some()) {
        let hint =
            "a recipe with rows is built by `hardtack build RECIPE`; a matrix file starts with `matrix: 1`";
        reader.error_hint(start, "this is a recipe, and no matrix file", hint);
        return None;
    }
    if root.is_null() {
        reader.error_hint(
            start,
            "the matrix is empty",
            "start it with `matrix: 1`, `recipes:`, `sources:`, `output:`",
        );
        return None;
    }
    let fields = reader.keyed(&root, "a matrix", MATRIX)?;
    let number = reader.required(&fields, "matrix", start)?;
    if !version(reader, number) {
        return None;
    }
    let recipes = entries(reader, &fields, "recipes", "recipe", RECIPE);
    let sources = entries(reader, &fields, "sources", "source", SOURCE);
    for (here, there, key, other) in
        [(&recipes, &sources, "recipes", "sources"), (&sources, &recipes, "sources", "recipes")]
    {
        if !here.is_empty() && there.is_empty() && fields.get(other).is_none() {
            let at = fields.get(key).map_or(start, |node| node.span);
            reader.error_hint(
                at,
                format!("`{key}` without `{other}`"),
                "single jobs stand in `include`: `- {recipe: FILE, source: FILE}`",
            );
        }
    }
    let output = match fields.get("output") {
        Some(node) => reader.line(node, "output").map(|text| (text.to_owned(), node.span)),
        None => None,
    };
    let pairs = recipes.len().saturating_mul(sources.len());
    if pairs > 0 && fields.get("output").is_none() {
        let hint = "for example `output: out/${recipe}-${source}.qcow2`";
        reader.error_hint(start, "a matrix needs the key `output`", hint);
    }
    if pairs > MOST_JOBS * 10 {
        too_many(reader, fields.get("recipes").map_or(start, |node| node.span), pairs);
        return None;
    }
    let excluded = exclude(reader, &fields, &recipes, &sources);
    let mut jobs: Vec<(Option<Job>, Span)> = Vec::new();
    for (at, recipe) in recipes.iter().enumerate() {
        for (with, source) in sources.iter().enumerate() {
            if excluded.get(at * sources.len() + with) == Some(&true) {
                continue;
            }
            let name = format!("{}-{}", recipe.name, source.name);
            let output =
                output.as_ref().and_then(|(text, span)| fill(reader, text, *span, recipe, source, &name));
            jobs.push((job(reader, name, recipe, source, output), recipe.span));
        }
    }
    include(reader, &fields, &recipes, &sources, output.as_ref(), &mut jobs);
    if jobs.len() > MOST_JOBS {
        too_many(reader, fields.get("recipes").map_or(start, |node| node.span), jobs.len());
        return None;
    }
    if jobs.is_empty() {
        reader.error(start, "the matrix has no job");
    }
    let found: Vec<(Job, Span)> = jobs.into_iter().filter_map(|(job, span)| Some((job?, span))).collect();
    unique(reader, &found);
    Some(found.into_iter().map(|(job, _)| job).collect())
}

fn too_many(reader: &mut Reader<'_>, at: Span, jobs: usize) {
    reader.error_hint(
        at,
        format!("{jobs} jobs; a matrix has at most {MOST_JOBS}"),
        "split it into several files",
    );
}

/// True for the format that is read here.
fn version(reader: &mut Reader<'_>, node: &Node) -> bool {
    match node.value() {
        Ok(Value::Int(1)) => true,
        Ok(Value::Int(other)) => {
            reader
                .error(node.span, format!("matrix format {other} is not known; this program reads format 1"));
            false
        }
        _ => {
            let message =
                format!("`matrix` takes the version of the matrix format, found {}", node.describe());
            reader.error_hint(node.span, message, "write `matrix: 1`");
            false
        }
    }
}

/// The items of the list `key`, as far as they are read.
fn list<'n>(reader: &mut Reader<'_>, fields: &Fields<'n>, key: &str) -> &'n [Node] {
    let Some(node) = fields.get(key) else { return &[] };
    let Kind::Sequence(items) = &node.kind else {
        reader.error_hint(
            node.span,
            format!("`{key}` takes a list, found {}", node.describe()),
            "write `- ` before each entry",
        );
        return &[];
    };
    if items.is_empty() && matches!(key, "recipes" | "sources") {
        reader.error(node.span, format!("`{key}` is empty"));
    }
    if items.len() > MOST_ENTRIES {
        reader.error(
            node.span,
            format!("`{key}` has {} entries; at most {MOST_ENTRIES} are read", items.len()),
        );
        return &[];
    }
    items
}

/// The recipes or sources of the list `key`.
fn entries(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    key: &str,
    what: &'static str,
    keys: &'static [Key],
) -> Vec<Entry> {
    let mut found: Vec<Entry> = Vec::new();
    let mut lines: HashMap<String, usize> = HashMap::new();
    for item in list(reader, fields, key) {
        let Some(entry) = entry(reader, item, what, keys) else { continue };
        if let Some(line) = lines.insert(entry.name.clone(), entry.span.line) {
            let message =
                format!("{}s of line {line} and {} are both named `{}`", what, entry.span.line, entry.name);
            reader.error_hint(
                entry.span,
                message,
                format!("give one another name: `{{{what}: …, name: …}}`"),
            );
            continue;
        }
        found.push(entry);
    }
    found
}

fn entry(reader: &mut Reader<'_>, item: &Node, what: &'static str, keys: &'static [Key]) -> Option<Entry> {
    let span = item.span;
    if item.as_mapping().is_none() {
        let text = reader.line(item, what)?;
        return Some(Entry {
            name: stem(reader, text, span, what)?,
            path: place(reader, text, what),
            set: Vec::new(),
            digest: None,
            span,
        });
    }
    let fields = reader.keyed(item, &format!("a {what}"), keys)?;
    let node = reader.required(&fields, what, span)?;
    let text = reader.line(node, what)?;
    let name = match fields.get("name") {
        Some(node) => name(reader, node)?,
        None => stem(reader, text, node.span, what)?,
    };
    let path = place(reader, text, what);
    Some(Entry { name, path, set: set(reader, &fields), digest: digest(reader, &fields), span })
}

/// Where a recipe or a source is: relative to the matrix file. A source that lies in the cache has its digest for a name.
fn place(reader: &Reader<'_>, text: &str, what: &str) -> PathBuf {
    match what == "source" && text.starts_with("sha256:") {
        true => PathBuf::from(text),
        false => reader.host_path(text),
    }
}

/// The name of a file, without its suffix.
fn stem(reader: &mut Reader<'_>, text: &str, span: Span, what: &str) -> Option<String> {
    let found =
        Path::new(text).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    match wrong_name(&found) {
        None => Some(found),
        Some(why) => {
            let message = format!("the name of this {what} is that of its file, and {why}");
            reader.error_hint(span, message, format!("give it one: `{{{what}: …, name: …}}`"));
            None
        }
    }
}

fn name(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let text = reader.line(node, "name")?;
    if let Some(why) = wrong_name(text) {
        reader.error(node.span, format!("a name that will not do: {why}"));
        return None;
    }
    Some(text.to_owned())
}

/// Why a text cannot be a name: names become parts of names of files.
fn wrong_name(text: &str) -> Option<String> {
    if text.is_empty() {
        Some("it is empty".to_owned())
    } else if text.chars().count() > LONGEST_NAME {
        Some(format!("it is longer than {LONGEST_NAME} characters"))
    } else if text.contains('/') {
        Some("it has a `/`".to_owned())
    } else if matches!(text, "." | "..") {
        Some("it is a directory's".to_owned())
    } else if text.trim() != text {
        Some("it has spaces at its ends".to_owned())
    } else {
        None
    }
}

/// Values for variables, as `--set` takes them.
fn set(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Vec<(String, String)> {
    let Some(node) = fields.get("set") else { return Vec::new() };
    let Some(pairs) = reader.open_fields(node, "`set`", &[]) else { return Vec::new() };
    let mut found = Vec::new();
    for (name, key, value) in pairs.pairs() {
        if name.is_empty() || name.contains('=') {
            reader.error(key.span, format!("`{name}` cannot be the name of a variable"));
        } else if value.get("env").is_some() {
            let hint =
                "the recipe takes it from the environment itself: `vars: {name: {env: NAME, secret: true}}`";
            reader.error_hint(
                value.span,
                "`set` is no place for a secret: it is an argument of a process",
                hint,
            );
        } else {
            match (value.text(), value.is_null()) {
                (Some(text), false) if !text.contains('\0') => {
                    found.push(((*name).to_owned(), text.to_owned()))
                }
                _ => {
                    let message =
                        format!("a variable takes text, a number or a boolean, found {}", value.describe());
                    reader.error(value.span, message);
                }
            }
        }
    }
    found
}

fn digest(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<String> {
    let node = fields.get("digest")?;
    let text = reader.line(node, "digest")?;
    let digits = text.strip_prefix("sha256:").map(str::to_ascii_lowercase);
    let fine =
        digits.filter(|digits| digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if fine.is_none() {
        let hint = "`sha256sum FILE` tells it: `digest: \"sha256:…\"` with 64 digits";
        reader.error_hint(node.span, "no SHA-256 digest", hint);
    }
    fine
}

/// Which pairs are not built: for each recipe all sources.
fn exclude(reader: &mut Reader<'_>, fields: &Fields<'_>, recipes: &[Entry], sources: &[Entry]) -> Vec<bool> {
    let mut out = vec![false; recipes.len() * sources.len()];
    for item in list(reader, fields, "exclude") {
        let Some(fields) = reader.keyed(item, "an entry of `exclude`", EXCLUDE) else { continue };
        let mut wanted = |key: &'static str, all: &[Entry]| -> Option<Option<usize>> {
            let Some(node) = fields.get(key) else { return Some(None) };
            let text = reader.line(node, key)?;
            let found = all.iter().position(|entry| entry.name == text);
            if found.is_none() {
                let hint = match did_you_mean(text, all.iter().map(|entry| entry.name.as_str())) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it is one of the names of `{key}s`, not a file"),
                };
                reader.error_hint(node.span, format!("no {key} is named `{text}`"), hint);
            }
            found.map(Some)
        };
        let (recipe, source) = (wanted("recipe", recipes), wanted("source", sources));
        let (Some(recipe), Some(source)) = (recipe, source) else { continue };
        if recipe.is_none() && source.is_none() {
            reader.error(item.span, "an entry of `exclude` names a `recipe`, a `source`, or both");
            continue;
        }
        for (index, mark) in out.iter_mut().enumerate() {
            let (at, with) = (index / sources.len(), index % sources.len());
            *mark |= recipe.is_none_or(|recipe| recipe == at) && source.is_none_or(|source| source == with);
        }
    }
    out
}

/// The jobs that stand there one by one.
fn include(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    recipes: &[Entry],
    sources: &[Entry],
    pattern: Option<&(String, Span)>,
    jobs: &mut Vec<(Option<Job>, Span)>,
) {
    for item in list(reader, fields, "include") {
        let span = item.span;
        let Some(fields) = reader.keyed(item, "an entry of `include`", INCLUDE) else { continue };
        let mut one = |key: &'static str, all: &[Entry]| -> Option<Entry> {
            let node = reader.required(&fields, key, span)?;
            let text = reader.line(node, key)?;
            if let Some(entry) = all.iter().find(|entry| entry.name == text) {
                return Some(entry.clone());
            }
            let path = place(reader, text, key);
            let name = stem(reader, text, node.span, key)?;
            Some(Entry { name, path, set: Vec::new(), digest: None, span })
        };
        let (recipe, source) = (one("recipe", recipes), one("source", sources));
        let name = match fields.get("name") {
            Some(node) => name(reader, node).map(|name| (name, node.span)),
            None => match (&recipe, &source) {
                (Some(recipe), Some(source)) => Some((format!("{}-{}", recipe.name, source.name), span)),
                _ => None,
            },
        };
        let (set, digest) = (set(reader, &fields), digest(reader, &fields));
        let own = match fields.get("output") {
            Some(node) => reader.line(node, "output").map(|text| (text.to_owned(), node.span)),
            None if pattern.is_none() => {
                reader.error(span, "this job needs the key `output`, since the matrix has none");
                None
            }
            None => pattern.cloned(),
        };
        let (Some(mut recipe), Some(mut source), Some((name, at)), Some((text, place))) =
            (recipe, source, name, own)
        else {
            continue;
        };
        if is_number(&name) {
            reader.error(at, "a name of digits alone could be a job's number");
            continue;
        }
        for (name, value) in set {
            recipe.set.retain(|(known, _)| *known != name);
            recipe.set.push((name, value));
        }
        source.digest = digest.or(source.digest);
        let output = fill(reader, &text, place, &recipe, &source, &name);
        jobs.push((job(reader, name, &recipe, &source, output), span));
    }
}

fn job(
    reader: &Reader<'_>,
    name: String,
    recipe: &Entry,
    source: &Entry,
    output: Option<String>,
) -> Option<Job> {
    Some(Job {
        name,
        recipe: recipe.path.clone(),
        row: None,
        set: recipe.set.clone(),
        source: source.path.clone(),
        digest: source.digest.clone(),
        output: reader.host_path(&output?),
    })
}

/// The output's name: `${recipe}`, `${source}` and `${name}` filled in; `$${` is `${`.
fn fill(
    reader: &mut Reader<'_>,
    pattern: &str,
    span: Span,
    recipe: &Entry,
    source: &Entry,
    name: &str,
) -> Option<String> {
    const KNOWN: [&str; 3] = ["recipe", "source", "name"];
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find("${") {
        let (before, behind) = (&rest[..at], &rest[at + 2..]);
        if let Some(before) = before.strip_suffix('$') {
            out += before;
            out += "${";
            rest = behind;
            continue;
        }
        out += before;
        let (word, after) = behind.split_once('}').unwrap_or((behind, ""));
        out += match word {
            "recipe" => &recipe.name,
            "source" => &source.name,
            "name" => name,
            other => {
                let hint = match did_you_mean(other, KNOWN) {
                    Some(near) => format!("did you mean `${{{near}}}`?"),
                    None => {
                        "known are `${recipe}`, `${source}` and `${name}`; `$${` is `${` itself".to_owned()
                    }
                };
                reader.error_hint(span, format!("`output` knows no `${{{other}}}`"), hint);
                return None;
            }
        };
        rest = after;
    }
    out += rest;
    Some(out)
}

/// No two jobs have one name or one output, no output is the record of another, and none is anybody's input. Links are
/// not looked at: that is for who writes.
fn unique(reader: &mut Reader<'_>, jobs: &[(Job, Span)]) {
    let mut names: HashMap<&str, ()> = HashMap::new();
    let mut outputs: HashMap<PathBuf, &str> = HashMap::new();
    let mut inputs: HashMap<PathBuf, &str> = HashMap::new();
    for (job, _) in jobs {
        inputs.insert(normal(&job.recipe), "recipe");
        inputs.insert(normal(&job.source), "source");
    }
    for (job, span) in jobs {
        if names.insert(&job.name, ()).is_some() {
            let message = format!("two jobs are named `{}`", job.name);
            reader.error_hint(*span, message, "give a recipe, a source or a job of `include` another `name`");
        }
        let output = normal(&job.output);
        if let Some(what) = inputs.get(&output) {
            reader
                .error(*span, format!("{}: the output of `{}` is a {what}", job.output.display(), job.name));
        }
        if let Some(before) = outputs.insert(output, &job.name) {
            let message =
                format!("the jobs `{before}` and `{}` have one output: {}", job.name, job.output.display());
            reader.error_hint(*span, message, "for example `output: out/${recipe}-${source}.qcow2`");
        }
    }
    for (job, span) in jobs {
        let output = normal(&job.output);
        let of = output.to_str().and_then(|text| text.strip_suffix(RECORD)).map(Path::new);
        if let Some(other) = of.and_then(|of| outputs.get(of)) {
            let message = format!(
                "{}: the output of `{}` has the name of the record of `{other}`",
                job.output.display(),
                job.name
            );
            reader.error_hint(
                *span,
                message,
                "a record stands beside each image; give this one another name",
            );
        }
    }
}
