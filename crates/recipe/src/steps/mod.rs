//! The steps of a recipe, one module each.
