//! Processor name and peak memory, as reported by Linux.

/// Returns the value of the line `key: value` in a file of the `/proc` file system; `None` on systems without it.
fn proc_value(file: &str, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.trim_start_matches([' ', '\t', ':']).trim().to_owned())
}

/// Returns the peak resident memory of this process in bytes; `None` if the operating system does not report it.
pub(super) fn peak_memory() -> Option<u64> {
    let kilobytes: u64 = proc_value("/proc/self/status", "VmHWM")?.strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Returns the model name of the processor; `None` if the operating system does not report it.
pub fn processor() -> Option<String> {
    proc_value("/proc/cpuinfo", "model name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_memory_is_plausible() {
        if cfg!(target_os = "linux") {
            let bytes = peak_memory().unwrap();
            assert!((1 << 20..1 << 40).contains(&bytes), "{bytes}");
        }
    }
}
