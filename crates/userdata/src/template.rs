//! `## template: jinja`.

use serde_json::Value as Json;

use crate::finding::Finding;
use crate::part::Part;

pub(crate) fn part(_part: &mut Part, _index: usize, _data: Option<&Json>, _findings: &mut Vec<Finding>) {}
