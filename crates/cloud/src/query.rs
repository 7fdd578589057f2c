//! The query protocol of EC2, STS and Eucalyptus: `Action=…&Version=…&Name.1.Key=…` in, XML out.

use crate::Service;

/// Parameters of a call, in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(pub(crate) Vec<(String, String)>);

impl Query {
    /// Adds a parameter.
    pub(crate) fn set(&mut self, name: impl Into<String>, value: impl Into<String>) -> &mut Self {
        self.0.push((name.into(), value.into()));
        self
    }

    /// Adds a parameter that may be missing.
    pub(crate) fn maybe(&mut self, name: &str, value: Option<impl Into<String>>) -> &mut Self {
        if let Some(value) = value {
            self.set(name, value);
        }
        self
    }

    /// Adds `NAME.1`, `NAME.2` ….
    pub(crate) fn list<I: Into<String>>(
        &mut self,
        name: &str,
        values: impl IntoIterator<Item = I>,
    ) -> &mut Self {
        for (index, value) in values.into_iter().enumerate() {
            self.set(format!("{name}.{}", index + 1), value);
        }
        self
    }

    /// All parameters of a call of `action`. A version that was set stays.
    pub(crate) fn call(&self, service: Service, action: &str) -> Vec<(String, String)> {
        let mut pairs = vec![("Action".to_owned(), action.to_owned())];
        if !self.0.iter().any(|(name, _)| name == "Version") {
            pairs.push(("Version".to_owned(), version(service).to_owned()));
        }
        pairs.extend(self.0.iter().cloned());
        pairs
    }
}

/// The version of a service's interface.
fn version(service: Service) -> &'static str {
    match service {
        Service::Sts => "2011-06-15",
        Service::Bootstrap | Service::Properties => "eucalyptus",
        Service::CloudFormation => "2010-05-15",
        Service::AutoScaling => "2011-01-01",
        _ => "2016-11-15",
    }
}
