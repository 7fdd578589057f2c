//! One `ifcfg` file, and the routes beside it (`NetInterface`, `Route` and `ConfigMap` of
//! `cloudinit/net/sysconfig.py`).

use hardtack_userdata::{Kind, Map, Value, python};

use super::{Keys, header};
use crate::py::{self, Outcome, at, refuse};

/// `KEY=value` lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct File {
    keys: Keys,
}

impl File {
    pub(crate) fn set(&mut self, key: &str, value: &Value) {
        self.keys.insert(key.to_owned(), value.clone());
    }

    pub(crate) fn word(&mut self, key: &str, word: &str) {
        self.set(key, &py::text(word));
    }

    pub(crate) fn flag(&mut self, key: &str, value: bool) {
        self.set(key, &py::boolean(value));
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.keys.get(key)
    }

    pub(crate) fn says(&self, key: &str) -> &str {
        self.get(key).and_then(Value::as_text).unwrap_or_default()
    }

    pub(crate) fn drop(&mut self, key: &str) {
        self.keys.remove(key);
    }
}

/// A value with blanks in it is quoted.
fn quoted(value: &str) -> String {
    let whole = value.len() > 1 && value.starts_with('"') && value.ends_with('"');
    if value.contains(python::is_space) && !whole { format!("\"{value}\"") } else { value.to_owned() }
}

/// A device's files.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) name: String,
    pub(crate) file: File,
    /// Routes that are no default routes, each with its number, which begins at 1.
    pub(crate) routes: Vec<Map>,
}

impl Device {
    pub(crate) fn new(name: &Value, suse: bool) -> Self {
        let mut file = File::default();
        if !suse {
            file.set("DEVICE", name);
            file.word("TYPE", "Ethernet");
        }
        Self { name: name.to_python_str(), file, routes: Vec::new() }
    }

    /// `ifcfg-NAME`.
    pub(crate) fn text(&self) -> String {
        let mut out = header('#') + "\n";
        for (key, value) in &self.file.keys {
            if key == "TYPE" && value.as_text() == Some("Vlan") {
                continue;
            }
            let value = match value.kind {
                Kind::Bool(value) => if value { "yes" } else { "no" }.to_owned(),
                _ => value.to_python_str(),
            };
            out.push_str(&format!("{key}={}\n", quoted(&value)));
        }
        out
    }

    /// `route-NAME` or `route6-NAME`. The routes are ordered by their numbers as text: 1, 10, 2.
    pub(crate) fn routes_text(&self, ipv6: bool) -> Outcome<String> {
        let mut out = header('#') + "\n";
        let mut order: Vec<(String, &Map)> = self
            .routes
            .iter()
            .zip(1..)
            .map(|(route, number): (_, usize)| (number.to_string(), route))
            .collect();
        order.sort_by(|one, other| one.0.cmp(&other.0));
        let mut number = 0;
        for (_, route) in order {
            let need = |key: &str| match at(route, key) {
                Some(value) => Ok(value.to_python_str()),
                None => {
                    let place = route.values().next().map(|value| value.place).unwrap_or_default();
                    refuse(place, format!("a route has no `{key}`"))
                }
            };
            let Some(address) = at(route, "network").map(Value::to_python_str) else { continue };
            let gateway = need("gateway")?;
            let metric = at(route, "metric").map(Value::to_python_str);
            match (ipv6, address.contains(':')) {
                (false, false) => {
                    let netmask = need("netmask")?;
                    for (key, value) in [("ADDRESS", address), ("GATEWAY", gateway), ("NETMASK", netmask)] {
                        out.push_str(&format!("{key}{number}={}\n", quoted(&value)));
                    }
                    if let Some(metric) = metric {
                        out.push_str(&format!("METRIC{number}={}\n", quoted(&metric)));
                    }
                    number += 1;
                }
                (true, true) => {
                    let prefix = need("prefix")?;
                    let metric = metric.map_or_else(String::new, |metric| format!("metric {metric}"));
                    out.push_str(&format!("{address}/{prefix} via {gateway} {metric} dev {}\n", self.name));
                }
                _ => {}
            }
        }
        Ok(out)
    }
}
