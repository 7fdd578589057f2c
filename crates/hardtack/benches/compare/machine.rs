//! What the numbers were measured on, in one sentence: without it they say nothing.

use std::path::Path;
use std::process::Command;

/// Date, machine, file system, programs, image, and how.
pub(crate) fn describe(directory: &Path, image: &Path, runs: usize) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "Measured on {} with {} ({cores} cores, {} of memory, {}), outputs on {}; {}; the image is\n\
         {} ({} MiB). Medians of {runs} runs in turn, sources in the page cache; load average at the end {}{}.",
        output("date", &["-u", "+%Y-%m-%d"]),
        field("/proc/cpuinfo", "model name"),
        memory(),
        output("uname", &["-sr"]),
        output("stat", &["-f", "-c", "%T", directory.to_str().unwrap()]),
        output("qemu-img", &["--version"]).lines().next().unwrap_or_default().replace(" version", ""),
        image.file_name().unwrap_or_default().to_string_lossy(),
        std::fs::metadata(image).map_or(0, |found| found.len() >> 20),
        std::fs::read_to_string("/proc/loadavg").unwrap_or_default().split(' ').next().unwrap_or_default(),
        scheduling(),
    )
}

/// Real-time scheduling is how a machine that others use is made to look idle.
fn scheduling() -> &'static str {
    // Field 41 of /proc/self/stat (proc(5)): 0 is the usual policy.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let policy = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(38));
    match policy {
        Some("0") | None => "",
        Some(_) => ", all contenders with real-time priority",
    }
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(|_| "?".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn field(file: &str, name: &str) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split(':').nth(1).unwrap_or("?").trim().to_owned()
}

fn memory() -> String {
    let kib = field("/proc/meminfo", "MemTotal").split(' ').next().and_then(|kib| kib.parse::<u64>().ok());
    kib.map_or_else(|| "?".to_owned(), |kib| format!("{} GiB", kib >> 20))
}
