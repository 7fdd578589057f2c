//! Swap files (`config/cc_mounts.py`: `handle_swapcfg`, `setup_swapfile`, `create_swapfile`).

use hardtack_userdata::{Finding, Kind, Value, truth};

use crate::action::Action;
use crate::live;
use crate::module::{Outcome, Request};
use crate::reading::{self, get};
use crate::sizes;
use crate::system::read_text;

/// What becomes of `swap`: the file for `/etc/fstab`, if there is one.
pub(crate) fn plan(request: &Request<'_>, outcome: &mut Outcome) -> Option<String> {
    let value = get(request.config, "swap")?;
    let Some(map) = value.as_map() else {
        outcome.findings.push(skipped(value, "swap", "`swap` is no mapping, and no swap file is made"));
        return None;
    };
    let size = get(map, "size").filter(|size| truth::truthy(size))?;
    let file = match get(map, "filename") {
        None => "/swap.img".to_owned(),
        Some(name) if !truth::truthy(name) => return None,
        Some(name) => match name.as_text() {
            Some(text) => text.to_owned(),
            None => {
                let message = "`swap.filename` is no text, and no swap file is made";
                outcome.findings.push(skipped(name, "swap.filename", message));
                return None;
            }
        },
    };
    if request.machine.exists(&file) {
        let Some(swaps) = read_text(request.machine, "/proc/swaps") else { return Some(file) };
        if swaps.lines().any(|line| line.strip_prefix(&file).is_some_and(|rest| rest.starts_with(' '))) {
            return Some(file);
        }
    }
    let limit = match get(map, "maxsize").map(|limit| (limit, &limit.kind)) {
        None | Some((_, Kind::Null)) => None,
        Some((limit, _)) => match bytes(limit) {
            Some(bytes) => Some(bytes),
            None => {
                outcome.findings.push(no_size(limit, "swap.maxsize"));
                return None;
            }
        },
    };
    let auto = size.as_text() == Some("auto");
    let mut details = vec![("file".to_owned(), file.clone())];
    if auto {
        match (request.facts.memory, request.facts.free) {
            (Some(memory), Some(free)) => {
                let bytes = sizes::swap(memory, free, limit);
                if bytes == 0 {
                    return None;
                }
                details.push(("mib".to_owned(), (bytes >> 20).to_string()));
            }
            _ => {
                details.push(("mib".to_owned(), "auto".to_owned()));
                details.extend(limit.map(|limit| ("most".to_owned(), format!("{}", limit >> 20))));
                outcome.notes.push("the size of the swap file follows from memory and free space".to_owned());
            }
        }
    } else {
        let Some(bytes) = bytes(size) else {
            outcome.findings.push(no_size(size, "swap.size"));
            return None;
        };
        if bytes == 0 {
            return None;
        }
        details.push(("mib".to_owned(), (bytes >> 20).to_string()));
    }
    outcome.actions.push(Action::Live { what: live::SWAP_FILE, details });
    Some(file)
}

/// Bytes of a number or a text like `1G`.
fn bytes(value: &Value) -> Option<u64> {
    match &value.kind {
        Kind::Int(number) => u64::try_from(*number).ok(),
        Kind::Bool(value) => Some(u64::from(*value)),
        Kind::Float(_) => sizes::human_to_bytes(&value.to_python_str()),
        Kind::Text(text) => sizes::human_to_bytes(text),
        _ => None,
    }
}

fn no_size(value: &Value, path: &str) -> Finding {
    let message = format!("`{path}` is {:?}, which is no size: no swap file is made", value.to_python_str());
    skipped(value, path, &message).with_hint("write auto, a number of bytes, or a size like 512M or 1.5G")
}

fn skipped(value: &Value, path: &str, message: &str) -> Finding {
    Finding::warning(reading::SKIPPED, value.place, message).at(path)
}
