//! The record of a build: an in-toto statement (in-toto.io/Statement/v1) with SLSA's provenance
//! (slsa.dev/provenance/v1). It says what went in and what came out, by digests, and is not signed.

use serde_json::{Map, Value, json};

/// The type of the statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

const PREDICATE_TYPE: &str = "https://slsa.dev/provenance/v1";
/// What kind of build it was: a name, that needs not lead anywhere.
const BUILD_TYPE: &str = "https://hardtack.invalid/build/v1";
const BUILDER: &str = "https://hardtack.invalid/hardtack";

/// SHA-256, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest(pub String);

/// Something that went into a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// What it was: "source", "recipe", "package", "agent"…
    pub role: &'static str,
    /// Its name: of a file the last part of its path.
    pub name: String,
    /// Its digest.
    pub digest: Digest,
}

/// What is said of a build.
#[derive(Clone, Debug)]
pub struct Provenance {
    /// The output's name: the last part of its path.
    pub output: String,
    /// The output's digest.
    pub digest: Digest,
    /// The verb.
    pub verb: &'static str,
    /// What was asked for on the command line and stands in no file; no secrets.
    pub parameters: Vec<(&'static str, Value)>,
    /// What went in.
    pub inputs: Vec<Input>,
    /// The version of this program.
    pub tool_version: String,
    /// The time that the build took for its own, seconds since 1970.
    pub epoch: i64,
}

impl Provenance {
    /// The statement. There is no time of the day and no machine in it: the same build gives the same record.
    #[must_use]
    pub fn statement(&self) -> Value {
        let mut parameters = Map::new();
        parameters.insert("verb".to_owned(), json!(self.verb));
        parameters.extend(self.parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let inputs: Vec<Value> = self
            .inputs
            .iter()
            .map(|input| {
                json!({
                    "name": input.name,
                    "digest": {"sha256": input.digest.0},
                    "annotations": {"role": input.role},
                })
            })
            .collect();
        json!({
            "_type": STATEMENT_TYPE,
            "subject": [{"name": self.output, "digest": {"sha256": self.digest.0}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "buildDefinition": {
                    "buildType": BUILD_TYPE,
                    "externalParameters": parameters,
                    "internalParameters": {"epoch": self.epoch},
                    "resolvedDependencies": inputs,
                },
                "runDetails": {
                    "builder": {"id": BUILDER, "version": {"hardtack": self.tool_version}},
                },
            },
        })
    }
}
