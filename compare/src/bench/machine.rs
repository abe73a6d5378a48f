//! Facts about the machine and the process, from the operating system.

/// Returns the value behind `word` in a file of Linux; `None` elsewhere.
fn told(file: &str, word: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(word))?;
    Some(line.trim_start_matches([' ', '\t', ':']).trim().to_owned())
}

pub(super) fn peak_memory() -> Option<u64> {
    let kilobytes: u64 = told("/proc/self/status", "VmHWM")?.strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Returns the name of the processor, where the operating system tells it.
pub fn processor() -> Option<String> {
    told("/proc/cpuinfo", "model name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_some_megabytes() {
        if cfg!(target_os = "linux") {
            let bytes = peak_memory().unwrap();
            assert!((1 << 20..1 << 40).contains(&bytes), "{bytes}");
        }
    }
}
