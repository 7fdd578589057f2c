//! The query protocol of EC2, STS and Eucalyptus: `Action=…&Version=…&Name.1.Key=…` in, XML out.

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
}
