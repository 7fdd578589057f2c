//! A stack: deleted, and watched until everything that it had made is gone.

use hardtack_cloud::cloudformation::{Stack, delete_stack, find_stack, stack_events};

use super::{Fate, Task};
use crate::Error;
use crate::poll::Poll;

impl Task<'_, '_> {
    pub(super) fn stack(&mut self, name: &str, id: Option<&str>) -> Result<Fate, Error> {
        let text = format!("stack {name} in {}", self.region());
        let mut found = find_stack(self.client, id.unwrap_or(name))?;
        while id.is_none() && found.is_none() && self.fresh.again() {
            found = find_stack(self.client, name)?;
        }
        let Some(stack) = found.filter(|stack| !is_gone(stack)) else { return Ok(Fate::Gone(text)) };
        if !self.is_tagged(&stack.tags) {
            return Ok(Fate::Left(format!("{text}: it has not this journal's tag")));
        }
        let whole = if stack.id.is_empty() { name } else { stack.id.as_str() };
        // What happened until now is no news.
        let mut last = stack_events(self.client, whole, None)?.pop().map(|event| event.id);
        delete_stack(self.client, whole)?;
        let mut poll = Poll::new(self.client, self.tell);
        let mut reason = None;
        loop {
            match stack_events(self.client, whole, last.as_deref()) {
                Ok(events) => {
                    for event in events {
                        if event.status == "DELETE_FAILED" && reason.is_none() && event.logical != name {
                            let why = event.reason.as_deref().unwrap_or("no reason is given");
                            reason = Some(format!("{} ({}): {why}", event.logical, event.kind));
                        }
                        self.tell.note(&format!("{} {} {}", event.status, event.logical, event.kind));
                        last = Some(event.id);
                    }
                }
                // With the stack its events may go.
                Err(error)
                    if error.status().is_some_and(|status| status < 500)
                        && !crate::refusal::throttled(&error) => {}
                Err(error) => {
                    poll.endure(error)?;
                    continue;
                }
            }
            match find_stack(self.client, whole) {
                Ok(None) => return Ok(Fate::Removed(text)),
                Ok(Some(stack)) if is_gone(&stack) => return Ok(Fate::Removed(text)),
                Ok(Some(stack)) if stack.status == "DELETE_FAILED" => {
                    let why = reason.or(stack.reason).unwrap_or_else(|| "no reason is given".to_owned());
                    return Err(
                        hardtack_cloud::Error::State(format!("{text} cannot be deleted: {why}")).into()
                    );
                }
                Ok(Some(stack)) => poll.pause(&format!("{text} is {}", stack.status)),
                Err(error) => poll.endure(error)?,
            }
        }
    }
}

fn is_gone(stack: &Stack) -> bool {
    stack.status == "DELETE_COMPLETE"
}
