//! `status.json` and `result.json`, by which other software knows how far the boot is
//! (`cloudinit/cmd/main.py`, `status_wrapper`).
//!
//! The files live in /var/lib/cloud/data and are reached through links in /run/cloud-init, relative ones. They
//! are of one boot: its first stage removes them. That is why they are not synced to the disk.

use std::os::unix::fs::symlink;

use serde_json::{Map, Value as Json, json};

use crate::accounts::replace_unsynced;
use crate::error::AgentError;
use crate::host::Host;
use crate::instance::{CLOUD, RUN};
use crate::log::Told;
use crate::python_json::dumps;
use crate::stage::Stage;

/// The stages, in order.
const STAGES: [Stage; 4] = [Stage::Local, Stage::Network, Stage::Config, Stage::Final];

/// The state of a boot, while a stage of it runs.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    stage: Stage,
    /// What is below `v1`.
    v1: Map<String, Json>,
}

impl Status {
    /// `stage` begins, `uptime` seconds after the kernel did.
    pub(crate) fn begin(host: &Host, stage: Stage, uptime: f64) -> Result<Self, AgentError> {
        let known = if stage == Stage::Local {
            for name in ["status.json", "result.json"] {
                for path in [format!("{RUN}/{name}"), format!("{CLOUD}/data/{name}")] {
                    remove(host, &path)?;
                }
            }
            None
        } else {
            read(host)
        };
        let mut status = Self { stage, v1: known.unwrap_or_else(nothing_yet) };
        status.v1.insert("stage".to_owned(), stage.status_name().into());
        status.note(|own| {
            own.insert("start".to_owned(), json!(uptime));
        });
        status.write(host)?;
        Ok(status)
    }

    /// The stage ends. `datasource` is what found the instance, as `Found::shown` has it, where that is known by
    /// now; `errors` are what the stage failed with, and `recoverable` what it warned of.
    pub(crate) fn finish(
        mut self,
        host: &Host,
        uptime: f64,
        datasource: Option<&str>,
        errors: &[String],
        recoverable: &[Told],
    ) -> Result<(), AgentError> {
        if let Some(datasource) = datasource {
            self.v1.insert("datasource".to_owned(), datasource.into());
        }
        self.note(|own| {
            own.insert("finished".to_owned(), json!(uptime));
            extend(own, "errors", errors.iter().map(|error| error.as_str().into()));
            let mut levels = match own.remove("recoverable_errors") {
                Some(Json::Object(levels)) => levels,
                _ => Map::new(),
            };
            // A stage that runs again tells its own anew.
            for (level, _) in recoverable {
                levels.remove(*level);
            }
            for (level, text) in recoverable {
                extend(&mut levels, level, [text.as_str().into()]);
            }
            own.insert("recoverable_errors".to_owned(), Json::Object(levels));
        });
        self.v1.insert("stage".to_owned(), Json::Null);
        self.write(host)?;
        if self.stage == Stage::Final { self.result(host) } else { Ok(()) }
    }

    /// The stage ends, and nobody is to learn of it: cloud-init is switched off.
    pub(crate) fn forget(self, host: &Host) -> Result<(), AgentError> {
        for path in [format!("{RUN}/status.json"), format!("{CLOUD}/data/status.json")] {
            remove(host, &path)?;
        }
        Ok(())
    }

    /// Changes what is noted for the stage that runs.
    fn note(&mut self, change: impl FnOnce(&mut Map<String, Json>)) {
        let name = self.stage.status_name();
        let mut own = match self.v1.remove(name) {
            Some(Json::Object(own)) => own,
            _ => not_begun(),
        };
        change(&mut own);
        self.v1.insert(name.to_owned(), Json::Object(own));
    }

    fn write(&self, host: &Host) -> Result<(), AgentError> {
        publish(host, "status.json", &json!({ "v1": self.v1 }))
    }

    /// Its being there says that the boot is done.
    fn result(&self, host: &Host) -> Result<(), AgentError> {
        let errors: Vec<&Json> = STAGES
            .iter()
            .filter_map(|stage| self.v1.get(stage.status_name())?.get("errors")?.as_array())
            .flatten()
            .collect();
        let datasource = self.v1.get("datasource").unwrap_or(&Json::Null);
        publish(host, "result.json", &json!({ "v1": { "datasource": datasource, "errors": errors } }))
    }
}

fn not_begun() -> Map<String, Json> {
    let members = [
        ("errors", json!([])),
        ("finished", Json::Null),
        ("recoverable_errors", json!({})),
        ("start", Json::Null),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn nothing_yet() -> Map<String, Json> {
    let mut v1 = Map::new();
    v1.insert("datasource".to_owned(), Json::Null);
    for stage in STAGES {
        v1.insert(stage.status_name().to_owned(), Json::Object(not_begun()));
    }
    v1
}

/// What the stages before have noted.
fn read(host: &Host) -> Option<Map<String, Json>> {
    let bytes = host.read(&format!("{CLOUD}/data/status.json")).ok()??;
    let status: Json = serde_json::from_slice(&bytes).ok()?;
    status.get("v1")?.as_object().cloned()
}

/// Adds to the list at `key`.
fn extend(map: &mut Map<String, Json>, key: &str, more: impl IntoIterator<Item = Json>) {
    let mut items = match map.remove(key) {
        Some(Json::Array(items)) => items,
        _ => Vec::new(),
    };
    items.extend(more);
    map.insert(key.to_owned(), Json::Array(items));
}

/// Writes a file whole, and the link to it.
fn publish(host: &Host, name: &str, value: &Json) -> Result<(), AgentError> {
    let text = dumps(value, 1) + "\n";
    replace_unsynced(&host.path(&format!("{CLOUD}/data/{name}")), text.as_bytes(), 0o644)?;
    let link = host.path(&format!("{RUN}/{name}"));
    let target = format!("../../var/lib/cloud/data/{name}");
    if std::fs::read_link(&link).is_ok_and(|known| known.to_string_lossy() == target) {
        return Ok(());
    }
    remove(host, &format!("{RUN}/{name}"))?;
    symlink(target, &link).map_err(|error| AgentError::io("link", &link, error))
}

fn remove(host: &Host, path: &str) -> Result<(), AgentError> {
    let full = host.path(path);
    match std::fs::remove_file(&full) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(AgentError::io("remove", &full, error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::Tree;

    fn load(tree: &Tree, name: &str) -> Json {
        serde_json::from_str(&tree.read(&format!("run/cloud-init/{name}"))).unwrap()
    }

    #[test]
    fn a_boot_from_its_first_stage_to_its_last() {
        let tree = Tree::new()
            .directory("run/cloud-init")
            .file("var/lib/cloud/data/result.json", "of the boot before")
            .file("var/lib/cloud/data/status.json", "{}")
            .link("run/cloud-init/result.json", "../../var/lib/cloud/data/result.json");
        let host = tree.host();
        let local = Status::begin(&host, Stage::Local, 4.5).unwrap();
        assert!(
            !host.exists("/var/lib/cloud/data/result.json") && !host.exists("/run/cloud-init/result.json")
        );
        let running = load(&tree, "status.json");
        assert_eq!(running["v1"]["stage"], "init-local");
        assert_eq!(running["v1"]["init-local"]["start"], 4.5);
        assert_eq!(running["v1"]["init-local"]["finished"], Json::Null);
        assert_eq!(running["v1"]["datasource"], Json::Null);
        local.finish(&host, 5.0, Some("DataSourceNoCloud [seed=/dev/vdb]"), &[], &[]).unwrap();

        let network = Status::begin(&host, Stage::Network, 6.0).unwrap();
        let told: [Told; 3] =
            [("WARNING", "a".to_owned()), ("ERROR", "b".to_owned()), ("WARNING", "c".to_owned())];
        network.finish(&host, 7.25, None, &["mounts: no".to_owned()], &told).unwrap();
        Status::begin(&host, Stage::Config, 8.0).unwrap().finish(&host, 9.0, None, &[], &[]).unwrap();
        assert!(!host.exists("/run/cloud-init/result.json"));
        Status::begin(&host, Stage::Final, 10.0).unwrap().finish(&host, 11.0, None, &[], &[]).unwrap();

        let status = load(&tree, "status.json");
        assert_eq!(status["v1"]["stage"], Json::Null);
        assert_eq!(status["v1"]["init"]["errors"], json!(["mounts: no"]));
        assert_eq!(
            status["v1"]["init"]["recoverable_errors"],
            json!({ "WARNING": ["a", "c"], "ERROR": ["b"] })
        );
        let wanted = "{\n \"v1\": {\n  \"datasource\": \"DataSourceNoCloud [seed=/dev/vdb]\",\n  \
                      \"errors\": [\n   \"mounts: no\"\n  ]\n }\n}\n";
        assert_eq!(tree.read("run/cloud-init/result.json"), wanted);
        assert!(tree.metadata("run/cloud-init/status.json").is_symlink());
    }

    #[test]
    fn a_damaged_file_is_begun_anew() {
        for text in ["", "[]", "{\"v1\": 3}", "{\"v1\": {\"init\": 1}}", "\u{0}"] {
            let tree = Tree::new().directory("run/cloud-init").file("var/lib/cloud/data/status.json", text);
            let host = tree.host();
            let status = Status::begin(&host, Stage::Network, 1.0).unwrap();
            status.finish(&host, 2.0, None, &["e".to_owned()], &[]).unwrap();
            let status = load(&tree, "status.json");
            assert_eq!(status["v1"]["init"]["errors"], json!(["e"]), "{text}");
            assert_eq!(status["v1"]["init"]["finished"], 2.0, "{text}");
        }
    }
}
