//! Values within values, bounded.

use super::run::{Outcome, Run};
use super::value::{DEPTH, Value};

/// Levels of lists and mappings that are put into others later on.
const GRAFTED: usize = 2000;

impl Run {
    /// Whether `value` may become a part of another one, which is `holder`. Nothing is nested deeper than
    /// it can be printed, and nothing holds itself: both would outlive the template.
    pub(super) fn admit(&mut self, value: &Value, holder: Option<*const ()>) -> Outcome<()> {
        let levels = self.levels_of(value, holder, 0)?;
        if holder.is_some() {
            // Whoever holds the holder gets as much deeper, and nobody knows who does.
            self.grafted = self.grafted.saturating_add(levels);
            if self.grafted > GRAFTED {
                return self.stop(format!("more than {GRAFTED} lists and mappings are put into others"));
            }
        }
        Ok(())
    }

    /// How deep `value` goes.
    fn levels_of(&mut self, value: &Value, holder: Option<*const ()>, depth: usize) -> Outcome<usize> {
        let Some(address) = value.address() else { return Ok(0) };
        if depth >= DEPTH || Some(address) == holder {
            return self.stop("a list or mapping that is nested too deep, or holds itself");
        }
        self.step()?;
        let mut deepest = 0;
        let mut inner = |items: &mut dyn Iterator<Item = &Value>| -> Outcome<()> {
            for (index, item) in items.enumerate() {
                // Looking at many is a step as well.
                self.steps += u64::from(index % 16 == 0);
                deepest = deepest.max(self.levels_of(item, holder, depth + 1)?);
            }
            self.step()
        };
        match value {
            Value::List(items) => inner(&mut items.borrow().iter())?,
            Value::Tuple(items) => inner(&mut items.iter())?,
            Value::Map(names) | Value::Namespace(names) => inner(&mut names.borrow().values())?,
            _ => {}
        }
        Ok(deepest + 1)
    }
}
