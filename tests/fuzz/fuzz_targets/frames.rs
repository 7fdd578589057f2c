#![no_main]

#[global_allocator]
static MEMORY: hardtack_fuzz::Capped = hardtack_fuzz::Capped;

libfuzzer_sys::fuzz_target!(|input: &[u8]| hardtack_fuzz::frames(input));
