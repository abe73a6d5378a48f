use std::fs::Permissions;

use super::*;

/// Names of the entries of a folder, in alphabetical order.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn write_atomically_replaces_file_and_leaves_no_temporary() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    write_atomically(&path, b"old").unwrap();
    write_atomically(&path, b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(names(folder.path()), ["file"]);
}

#[test]
fn storage_functions_reject_file_in_place_of_folder() {
    let file = NamedTempFile::new().unwrap();
    let error = ensure_writable_folder(&file.path().join("below")).unwrap_err().to_string();
    assert!(error.contains("below"), "{error}");
    assert!(write_atomically(&file.path().join("below"), b"").is_err());
    assert!(check_writable(&file.path().join("below")).is_err());
}

#[test]
fn check_writable_rejects_impossible_paths_and_creates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let message = |path: PathBuf| {
        let checked = check_writable(&path).unwrap_err().to_string();
        assert_eq!(write_atomically(&path, b"").unwrap_err().to_string(), checked);
        checked
    };
    assert!(message(folder.path().to_owned()).contains("is a directory"));
    assert!(message(folder.path().join("absent/file")).contains("absent does not exist"));
    assert!(message(folder.path().join("file/")).contains("does not end with a file name"));
    assert!(message(folder.path().join("file/.")).contains("does not end with a file name"));
    assert!(message(folder.path().join("x".repeat(300))).contains("too long"));
    assert!(message(PathBuf::new()).contains("does not end with a file name"));
    assert_eq!(names(folder.path()), [""; 0]);
    check_writable(&folder.path().join("file")).unwrap();
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn stale_temporary_files_are_removed_and_locked_ones_kept() {
    let folder = tempfile::tempdir().unwrap();
    let [prefix, suffix] = TEMPORARY_NAME;
    let stale = folder.path().join(format!("{prefix}killed{suffix}"));
    fs::write(&stale, b"half").unwrap();
    let in_use = new_temporary(folder.path()).unwrap();
    write_atomically(&folder.path().join("file"), b"whole").unwrap();
    assert!(!stale.exists() && in_use.path().exists());
    drop(in_use);
    assert_eq!(names(folder.path()), ["file"]);
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::process::Command;

    use super::*;

    #[test]
    fn symbolic_links_and_permissions_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("below")).unwrap();
        let [file, link, chain] = ["below/file", "link", "chain"].map(|name| folder.path().join(name));
        symlink("below/file", &link).unwrap();
        symlink("link", &chain).unwrap();
        // The links dangle until the first write creates the file.
        write_atomically(&chain, b"first").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"first");
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        write_atomically(&chain, b"second").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"second");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(link.is_symlink() && chain.is_symlink());
        symlink("loop", folder.path().join("loop")).unwrap();
        assert!(write_atomically(&folder.path().join("loop"), b"").is_err());
        assert_eq!(names(&folder.path().join("below")), ["file"]);
    }

    #[test]
    fn read_only_and_hard_linked_files_are_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let [file, other] = ["file", "other"].map(|name| folder.path().join(name));
        fs::write(&file, b"old").unwrap();
        fs::hard_link(&file, &other).unwrap();
        let message = || {
            let error = write_atomically(&file, b"new").unwrap_err().to_string();
            assert_eq!(check_writable(&file).unwrap_err().to_string(), error);
            error
        };
        assert!(message().contains("hard links"), "{}", message());
        fs::remove_file(&other).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o444)).unwrap();
        assert!(message().contains("read-only"), "{}", message());
        assert_eq!(fs::read(&file).unwrap(), b"old");
    }

    /// The administrator may write every file.
    #[test]
    fn files_are_replaced_only_by_those_who_may_write_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, b"old").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o464)).unwrap();
        let is_writable = OpenOptions::new().write(true).open(&file).is_ok();
        assert_eq!(check_writable(&file).is_ok(), is_writable);
        assert_eq!(write_atomically(&file, b"new").is_ok(), is_writable);
        assert_eq!(fs::read(&file).unwrap(), if is_writable { b"new" } else { b"old" });
    }

    #[test]
    fn pipes_and_devices_are_written_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        check_writable(&pipe).unwrap();
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read(pipe).unwrap()
        });
        write_atomically(&pipe, b"through the pipe").unwrap();
        assert_eq!(reader.join().unwrap(), b"through the pipe");
        assert_eq!(names(folder.path()), ["pipe"]);
        // Never on the device itself, which a failing test run by root would replace.
        let device = folder.path().join("device");
        symlink("/dev/null", &device).unwrap();
        write_atomically(&device, b"discarded").unwrap();
        assert!(device.is_symlink() && is_stream(&fs::metadata("/dev/null").unwrap()));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn files_in_shared_memory_are_replaced() {
        let folder = tempfile::tempdir_in("/dev/shm").unwrap();
        let path = folder.path().join("file");
        write_atomically(&path, b"old").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn links_to_streams_are_written_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let [path, link] = ["file", "link"].map(|name| folder.path().join(name));
        let file = File::create_new(&path).unwrap();
        symlink(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file)), &link).unwrap();
        (&file).write_all(b"first, ").unwrap();
        write_atomically(&link, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"first, second");
    }

    #[test]
    fn sockets_are_rejected() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let error = check_writable(&path).unwrap_err().to_string();
        assert!(error.contains("neither a file nor a pipe"), "{error}");
    }
}
